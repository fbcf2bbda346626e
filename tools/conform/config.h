/* SPDX-License-Identifier: MIT
 *
 * The tests of a store's configuration table, shared by the conformance programs.
 */
#ifndef CONFORM_CONFIG_H
#define CONFORM_CONFIG_H

#include "tools/conform/load.h"

extern const struct conform_test conform_config_tests[];

#endif
