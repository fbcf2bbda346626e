/* SPDX-License-Identifier: MIT
 *
 * Who we are to the server: keys from the first place that has some.
 *
 * The order is Amazon's: the store's configuration, the environment, the shared credentials file, the
 * container's endpoint, the instance's metadata service.  The place is found when the store is
 * opened and stays; keys that end are fetched again from there before they do.
 */
#ifndef BLOCK_S3_CREDENTIALS_H
#define BLOCK_S3_CREDENTIALS_H

#include <dittofs/host.h>

#include "transfer.h"

/* One set of keys; counted references, immutable. */
struct credentials {
	_Atomic unsigned refs;
	int64_t expires;                                     /* seconds since 1970; 0: never */
	const char *access_key, *secret_key, *session_token; /* the last may be "" */
	char bytes[];
};

void credentials_unref(struct credentials *c);

enum found {
	FOUND,
	ABSENT, /* this place is not set up: try the next */
	LATER,  /* it is set up but has no keys at the moment */
	BROKEN, /* it is set up wrongly */
};

struct credentials_config {
	const char *access_key, *secret_key, *session_token; /* may be NULL */
	const char *file, *profile;                          /* may be NULL */
};

/* A new set with one reference.  place: whose they are, for the sentence when they are BROKEN:
 * they go into headers, and so may hold no blank and no control character. */
enum found credentials_make(const char *access_key, const char *secret_key, const char *token,
			    int64_t expires, const char *place, struct credentials **out,
			    struct text *why);

/* The places.  ABSENT, LATER and BROKEN leave a sentence without keys in why. */
enum found credentials_from_config(const struct credentials_config *config,
				   struct credentials **out, struct text *why);
enum found credentials_from_env(struct credentials **out, struct text *why);
enum found credentials_from_file(const char *file, const char *profile, struct credentials **out,
				 struct text *why);
enum found credentials_from_container(struct engine *e, struct credentials **out, struct text *why);
enum found credentials_from_instance(struct engine *e, struct credentials **out, struct text *why);

/* Keys in the JSON of the latter two. */
enum found credentials_parse(const char *json, size_t len, struct credentials **out,
			     struct text *why);
/* The value of a key in a section of an ini file, in out; false: there is none.  text: any bytes. */
bool ini_find(const char *text, size_t len, const char *section, const char *key, struct text *out);

struct chain;

/* NULL, with a sentence in why: no place has keys, or the one chosen is broken. */
struct chain *chain_new(const struct dfs_host *host, struct engine *e,
			const struct credentials_config *config, struct text *why);
void chain_free(struct chain *c);

/* Keys for a request, a reference to be given back; NULL with a sentence in why.  May wait for the
 * place that they come from.  refused: keys that the server did not take; others are fetched when
 * these are still the current ones. */
struct credentials *chain_get(struct chain *c, const struct credentials *refused, struct text *why);

#endif
