/* SPDX-License-Identifier: MIT
 *
 * What the files behind load.h have of each other.
 */
#ifndef CONFORM_FRAME_H
#define CONFORM_FRAME_H

#include "tools/conform/load.h"

/* Fill c->host, whose functions from now on serve c. */
void conform_host_init(struct conform *c);
/* Do in this process what conform_spawn asked it for; answers the exit status. */
int conform_child(struct conform *c, const struct conform_role *roles, const char *what);

#endif
