/* SPDX-License-Identifier: MIT
 *
 * What the conformance programs share: the command line, loading the plugin under test, a host
 * table that watches it, instances in folders of their own, and child processes to kill.
 *
 * A test is one fact.  It runs on the main thread with a scratch folder that is removed at the
 * end; checks that fail print a remark and mark the running test.
 *
 * A store may have a server of its own, whose end of a session it answers with DFS_AGAIN.  Where
 * nobody but the test is about, that is a failure, unless --repeat allows for it: then the test is
 * void from there on, and runs anew.
 */
#ifndef CONFORM_LOAD_H
#define CONFORM_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <dittofs/block_store.h>
#include <dittofs/metadata_store.h>

#include "plugin/options.h"
#include "plugin/registry.h"

#define CONFORM_TEST_SECONDS 900 /* a test that takes longer hangs: the program bails out */

struct conform {
	const struct dfs_plugin_entry *plugin;
	struct dfs_host host;         /* pass to create() */
	const char *plugin_path;      /* absolute */
	char **set;                   /* of --set, NULL: none */
	bool verbose;                 /* of --verbose */
	const char *scratch;          /* temporary folder of this run */
	unsigned seed;                /* of random choices; printed, --seed repeats it */
	unsigned repeat;              /* how often a test may be void */
	struct dfs_diag diag;         /* what the last conform_open left */
	_Atomic int64_t buffers;      /* host buffers that the plugin holds */
	_Atomic int64_t buffer_bytes; /* their capacity */
	_Atomic unsigned host_misuse; /* calls of the host table with wrong arguments */
	/* the running test */
	const char *skip;
	_Atomic unsigned failures;
	_Atomic bool is_void; /* its checks count no more */
};

/* A test.  Ends with a row whose group is NULL; rows of a group stand together. */
struct conform_test {
	const char *group;
	const char *name;
	void (*run)(struct conform *c);
};

/* What a child process of the program can do: see conform_spawn.  Returns the exit status. */
struct conform_role {
	const char *name;
	int (*run)(struct conform *c, const char *dir, const char *arg, int fd);
};

/* The whole program.  Tables end with a zero row; roles may be NULL. */
int conform_main(int argc, char **argv, enum dfs_plugin_kind kind,
		 const struct conform_test *const *tables, const struct conform_role *roles);

/* Fail the running test unless cond; any thread.  Yields cond. */
#define CHECK(c, cond, ...) conform_check((c), (cond), __FILE__, __LINE__, #cond, " " __VA_ARGS__)
bool conform_check(struct conform *c, bool cond, const char *file, int line, const char *expr,
		   const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Fail unless status is what is wanted; the remark holds both names and the plugin's sentence.
 * DFS_AGAIN, with --repeat: the test is void. */
#define EXPECT(c, status, want) conform_expect((c), (status), (want), __FILE__, __LINE__, #status)
bool conform_expect(struct conform *c, enum dfs_status status, enum dfs_status want,
		    const char *file, int line, const char *expr);
/* Is status one after which a transaction is made anew, as the core does?  Only with --repeat. */
bool conform_anew(const struct conform *c, enum dfs_status status);
/* The running test does not apply.  reason: a literal. */
void conform_skip(struct conform *c, const char *reason);
/* This thread's last sentence given to host->fail(), "" when none. */
const char *conform_fail_text(void);
void conform_fail_clear(void);

/* A new empty folder in the scratch folder.  Freed with g_free. */
char *conform_dir(struct conform *c);

/* Open an instance with the --set values.  Relative values of PATH options lie in dir; a REQUIRED
 * PATH option that is not set gets its own key as value.  The configuration struct is freed
 * before this returns: whatever the plugin keeps, it has copied. */
enum dfs_status conform_open(struct conform *c, const char *dir, void **inst);
/* The same, with one option changed.  DFS_CONFIG: the value was refused before create(). */
enum dfs_status conform_open_set(struct conform *c, const char *dir, const char *key,
				 const char *text, void **inst);
void conform_close(struct conform *c, void *inst);

/* Run this program again as a child in a role, with the same plugin and options.  *fd, unless fd
 * is NULL, is the reading end of a pipe that the child writes to. */
pid_t conform_spawn(struct conform *c, const char *role, const char *dir, const char *arg, int *fd);

/* What a folder has in it. */
unsigned conform_count_entries(const char *folder);
/* Open descriptors of this process. */
unsigned conform_count_fds(void);
/* A pseudo-random number; *state begins with any value. */
uint64_t conform_random(uint64_t *state);

#endif
