/* SPDX-License-Identifier: MIT
 *
 * LOOKUP, REMOVE, RMDIR, RENAME and listings over the real core/fs on the memory stores.
 */
#include "adapters/nfs/test-nfs3.h"

static struct tentry entries[TEST_ENTRIES];

static void
assert_same(struct tfh a, struct tfh b)
{
	g_assert_cmpmem(a.bytes, sizeof a.bytes, b.bytes, sizeof b.bytes);
}

static void
test_dot_and_dot_dot(void)
{
	struct tfh d = make_dir("d");

	assert_same(t_lookup(d, ".").fh, d);
	assert_same(t_lookup(d, "..").fh, top);
	assert_same(t_lookup(t_root(world.one), "..").fh, t_root(world.one));
}

static void
test_lookup_needs_search_permission(void)
{
	struct tfh d = make_dir("d");

	ASSERT_OK(t_create(d, "f", DFS_CREATE_GUARDED, SET_MODE(0644), 0));
	ASSERT_OK(t_setattr(d, SET_MODE(0766), NULL));
	t_as(1000, 1000);
	ASSERT_STATUS(t_lookup(d, "f"), 13);
	ASSERT_STATUS(t_lookup(d, "none"), 13);
}

static void
test_lookup_in_a_file(void)
{
	ASSERT_STATUS(t_lookup(make_file("f"), "x"), 20);
}

static void
test_long_names(void)
{
	g_autofree char *longest = g_strnfill(255, 'n'), *longer = g_strnfill(256, 'n');

	ASSERT_OK(t_create(top, longest, DFS_CREATE_GUARDED, SET_MODE(0), 0));
	ASSERT_OK(t_lookup(top, longest));
	ASSERT_STATUS(t_lookup(top, longer), 63);
	ASSERT_STATUS(t_create(top, longer, DFS_CREATE_GUARDED, SET_MODE(0), 0), 63);
	ASSERT_STATUS(t_mkdir(top, longer, 0), 63);
	ASSERT_STATUS(t_symlink(top, longer, "x"), 63);
	ASSERT_STATUS(t_remove(top, longer), 63);
	ASSERT_STATUS(t_rmdir(top, longer), 63);
	ASSERT_STATUS(t_rename(top, longest, top, longer), 63);
}

static void
test_names_that_cannot_be(void)
{
	static const struct {
		const char *bytes;
		uint32_t len;
	} rows[] = {{"", 0}, {"a/b", 3}, {"/", 1}, {"a\0b", 3}, {"\0", 1}};

	for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
		ASSERT_STATUS(t_lookup_bytes(top, rows[i].bytes, rows[i].len), 22);
		ASSERT_STATUS(t_create_bytes(top, rows[i].bytes, rows[i].len), 22);
	}
}

static void
test_dots_cannot_be_made_or_removed(void)
{
	static const char *const dots[] = {".", ".."};

	make_file("f");
	for (unsigned i = 0; i < 2; i++) {
		uint32_t s = t_create(top, dots[i], DFS_CREATE_GUARDED, SET_MODE(0), 0).status;
		g_assert_true(s == 17 || s == 22);
		s = t_mkdir(top, dots[i], 0).status;
		g_assert_true(s == 17 || s == 22);
		s = t_rmdir(top, dots[i]).status;
		g_assert_true(s == 22 || s == 66 || s == 17);
		s = t_remove(top, dots[i]).status;
		g_assert_true(s == 22 || s == 21);
		s = t_rename(top, "f", top, dots[i]).status;
		g_assert_true(s == 22 || s == 17 || s == 21);
		s = t_rename(top, dots[i], top, "g").status;
		g_assert_true(s == 22);
	}
	ASSERT_STATUS(t_rmdir(top, "."), 22);
}

/* Names are bytes: all 254 that a name may hold, alone and in one listing. */
static void
test_every_byte_value(void)
{
	struct treply r;
	uint32_t n;
	bool seen[256] = {false};

	for (unsigned b = 1; b < 256; b++) {
		char name[2] = {(char)b, 'x'};
		if (b == '/')
			continue;
		ASSERT_OK(t_create_bytes(top, name, 2));
		ASSERT_OK(t_lookup_bytes(top, name, 2));
	}
	r = t_readdir(top, 0, 65536, entries, &n);
	ASSERT_OK(r);
	g_assert_true(r.eof);
	g_assert_cmpuint(n, ==, 254 + 2);
	for (uint32_t i = 0; i < n; i++)
		if (entries[i].name[1] == 'x')
			seen[(unsigned char)entries[i].name[0]] = true;
	for (unsigned b = 1; b < 256; b++)
		g_assert_cmpint(seen[b], ==, b != '/');
}

static void
test_remove_of_a_directory(void)
{
	make_dir("d");
	uint32_t s = t_remove(top, "d").status;
	g_assert_true(s == 21 || s == 1);
}

static void
test_rmdir_of_a_file(void)
{
	make_file("f");
	ASSERT_STATUS(t_rmdir(top, "f"), 20);
}

static void
test_rmdir_of_a_full_directory(void)
{
	struct tfh d = make_dir("d");

	ASSERT_OK(t_create(d, "f", DFS_CREATE_GUARDED, SET_MODE(0), 0));
	ASSERT_STATUS(t_rmdir(top, "d"), 66);
	ASSERT_OK(t_remove(d, "f"));
	ASSERT_OK(t_rmdir(top, "d"));
	ASSERT_STATUS(t_getattr(d), 70);
	ASSERT_STATUS(t_create(d, "f", DFS_CREATE_GUARDED, SET_MODE(0), 0), 70);
}

static void
test_removed_name_is_gone_and_free_again(void)
{
	struct tfh f = make_file("f");

	ASSERT_OK(t_remove(top, "f"));
	ASSERT_STATUS(t_lookup(top, "f"), 2);
	ASSERT_STATUS(t_remove(top, "f"), 2);
	struct tfh again = make_file("f");
	g_assert_cmpint(memcmp(f.bytes, again.bytes, sizeof f.bytes), !=, 0);
	ASSERT_STATUS(t_getattr(f), 70);
}

static void
test_sticky_directory_protects_files(void)
{
	struct tfh d = make_dir("d");
	uint32_t s;

	ASSERT_OK(t_setattr(d, SET_MODE(01777), NULL));
	t_as(1000, 1000);
	ASSERT_OK(t_create(d, "f", DFS_CREATE_GUARDED, SET_MODE(0666), 0));
	t_as(1001, 1001);
	s = t_remove(d, "f").status;
	g_assert_true(s == 1 || s == 13);
	s = t_rename(d, "f", d, "g").status;
	g_assert_true(s == 1 || s == 13);
	ASSERT_OK(t_create(d, "mine", DFS_CREATE_GUARDED, SET_MODE(0666), 0));
	s = t_rename(d, "mine", d, "f").status; /* over somebody else's */
	g_assert_true(s == 1 || s == 13);
	t_as(1000, 1000);
	ASSERT_OK(t_remove(d, "f"));
}

static void
test_changing_a_directory_needs_write_permission(void)
{
	make_file("f");
	make_dir("d");
	t_as(1000, 1000); /* top is root's, 0755 */
	ASSERT_STATUS(t_create(top, "n", DFS_CREATE_GUARDED, SET_MODE(0), 0), 13);
	ASSERT_STATUS(t_mkdir(top, "n", 0), 13);
	ASSERT_STATUS(t_symlink(top, "n", "x"), 13);
	ASSERT_STATUS(t_remove(top, "f"), 13);
	ASSERT_STATUS(t_rmdir(top, "d"), 13);
	ASSERT_STATUS(t_rename(top, "f", top, "g"), 13);
}

static void
test_rename_keeps_the_handle(void)
{
	struct tfh f = make_file("f"), d = make_dir("d");

	ASSERT_OK(t_rename(top, "f", d, "g"));
	ASSERT_STATUS(t_lookup(top, "f"), 2);
	assert_same(t_lookup(d, "g").fh, f);
	ASSERT_OK(t_getattr(f));
}

static void
test_rename_over_a_file(void)
{
	struct tfh f = make_file("f"), old = make_file("g");

	ASSERT_OK(t_rename(top, "f", top, "g"));
	assert_same(t_lookup(top, "g").fh, f);
	ASSERT_STATUS(t_getattr(old), 70);
}

static void
test_rename_between_kinds(void)
{
	uint32_t s;

	make_file("f");
	make_dir("d");
	s = t_rename(top, "f", top, "d").status;
	g_assert_true(s == 21 || s == 17);
	ASSERT_STATUS(t_rename(top, "d", top, "f"), 20);
}

static void
test_rename_over_directories(void)
{
	struct tfh a = make_dir("a"), full = make_dir("full");
	uint32_t s;

	make_dir("empty");
	ASSERT_OK(t_create(full, "f", DFS_CREATE_GUARDED, SET_MODE(0), 0));
	s = t_rename(top, "a", top, "full").status;
	g_assert_true(s == 66 || s == 17);
	ASSERT_OK(t_rename(top, "a", top, "empty"));
	assert_same(t_lookup(top, "empty").fh, a);
	g_assert_cmpuint(t_getattr(top).attr.nlink, ==, 4);
}

static void
test_rename_of_links_to_one_file_does_nothing(void)
{
	struct tfh f = make_file("f");

	ASSERT_OK(t_link(f, top, "g"));
	ASSERT_OK(t_rename(top, "f", top, "g"));
	ASSERT_OK(t_lookup(top, "f"));
	ASSERT_OK(t_lookup(top, "g"));
	g_assert_cmpuint(t_getattr(f).attr.nlink, ==, 2);
}

static void
test_rename_onto_itself(void)
{
	struct tfh f = make_file("f");

	ASSERT_OK(t_rename(top, "f", top, "f"));
	assert_same(t_lookup(top, "f").fh, f);
}

static void
test_rename_into_its_own_subtree(void)
{
	struct tfh a = make_dir("a");
	struct treply b = t_mkdir(a, "b", 0755);

	ASSERT_STATUS(t_rename(top, "a", a, "x"), 22);
	ASSERT_STATUS(t_rename(top, "a", b.fh, "x"), 22);
	ASSERT_OK(t_lookup(top, "a"));
}

static void
test_directory_that_moves_takes_its_parent_along(void)
{
	struct tfh a = make_dir("a"), b = make_dir("b");
	struct treply d = t_mkdir(a, "d", 0755);

	ASSERT_OK(t_rename(a, "d", b, "d"));
	assert_same(t_lookup(d.fh, "..").fh, b);
	g_assert_cmpuint(t_getattr(a).attr.nlink, ==, 2);
	g_assert_cmpuint(t_getattr(b).attr.nlink, ==, 3);
}

static void
test_rename_of_nothing(void)
{
	ASSERT_STATUS(t_rename(top, "none", top, "x"), 2);
}

static void
make_many(struct tfh dir, unsigned n)
{
	char name[32];

	for (unsigned i = 0; i < n; i++) {
		g_snprintf(name, sizeof name, "file-%u", i);
		ASSERT_OK(t_create(dir, name, DFS_CREATE_GUARDED, SET_MODE(0644), 0));
	}
}

/* Every entry once, whatever the page size. */
static void
test_listing_is_complete(void)
{
	static const uint32_t counts[] = {200, 333, 1024, 4096, 32768};

	make_many(top, 500);
	for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
		unsigned seen[500] = {0}, dots = 0;
		uint64_t cookie = 0;
		bool eof = false;

		while (!eof) {
			uint32_t n;
			struct treply r = t_readdir(top, cookie, counts[i], entries, &n);

			ASSERT_OK(r);
			eof = r.eof;
			g_assert_true(n > 0 || eof);
			for (uint32_t k = 0; k < n; k++) {
				g_assert_cmpuint(entries[k].cookie, >, cookie);
				g_assert_cmpuint(entries[k].cookie, <=, INT64_MAX);
				cookie = entries[k].cookie;
				if (entries[k].name[0] == '.')
					dots++;
				else
					seen[atoi(entries[k].name + 5)]++;
			}
		}
		g_assert_cmpuint(dots, ==, 2);
		for (unsigned k = 0; k < 500; k++)
			g_assert_cmpuint(seen[k], ==, 1);
	}
}

static void
test_dots_of_a_listing(void)
{
	struct tfh d = make_dir("d");
	uint32_t n;

	ASSERT_OK(t_readdirplus(d, 0, 4096, 4096, entries, &n));
	g_assert_cmpuint(n, ==, 2);
	g_assert_cmpstr(entries[0].name, ==, ".");
	g_assert_cmpstr(entries[1].name, ==, "..");
	assert_same(entries[0].fh, d);
	assert_same(entries[1].fh, top);
	ASSERT_OK(t_readdir(t_root(world.one), 0, 4096, entries, &n));
	g_assert_cmpuint(entries[1].fileid, ==,
			 entries[0].fileid); /* the root's parent is itself */
}

static void
test_listing_agrees_with_lookup(void)
{
	uint32_t n;

	make_many(top, 20);
	make_dir("d");
	ASSERT_OK(t_symlink(top, "l", "x"));
	ASSERT_OK(t_readdirplus(top, 0, 32768, 32768, entries, &n));
	g_assert_cmpuint(n, ==, 24);
	for (uint32_t i = 2; i < n; i++) {
		struct treply r = t_lookup(top, entries[i].name);
		ASSERT_OK(r);
		g_assert_true(entries[i].has_fh);
		g_assert_true(entries[i].attr.known);
		assert_same(entries[i].fh, r.fh);
		g_assert_cmpuint(entries[i].attr.fileid, ==, entries[i].fileid);
		g_assert_cmpuint(entries[i].attr.type, ==, r.attr.type);
		g_assert_cmpint(entries[i].attr.ctime, ==, r.attr.ctime);
	}
}

/* rm -r: list a page, remove what it held, go on from its last cookie. */
static void
test_removing_while_listing_misses_nothing(void)
{
	uint64_t cookie = 0;
	unsigned removed = 0;
	bool eof = false;

	make_many(top, 300);
	while (!eof) {
		uint32_t n;
		struct treply r = t_readdir(top, cookie, 700, entries, &n);

		ASSERT_OK(r);
		eof = r.eof;
		for (uint32_t i = 0; i < n; i++) {
			cookie = entries[i].cookie;
			if (entries[i].name[0] != '.') {
				ASSERT_OK(t_remove(top, entries[i].name));
				removed++;
			}
		}
	}
	g_assert_cmpuint(removed, ==, 300);
}

static void
test_adding_while_listing_repeats_nothing(void)
{
	unsigned seen[200] = {0}, added = 0;
	uint64_t cookie = 0;
	bool eof = false;
	char name[32];

	make_many(top, 200);
	while (!eof) {
		uint32_t n;
		struct treply r = t_readdir(top, cookie, 500, entries, &n);

		ASSERT_OK(r);
		eof = r.eof;
		for (uint32_t i = 0; i < n; i++) {
			cookie = entries[i].cookie;
			if (strncmp(entries[i].name, "file-", 5) == 0)
				seen[atoi(entries[i].name + 5)]++;
		}
		if (added < 100) {
			g_snprintf(name, sizeof name, "new-%u", added++);
			make_file(name);
		}
	}
	for (unsigned i = 0; i < 200; i++)
		g_assert_cmpuint(seen[i], ==, 1);
}

static void
test_listing_needs_read_permission(void)
{
	struct tfh d = make_dir("d");
	uint32_t n;

	ASSERT_OK(t_setattr(d, SET_MODE(0711), NULL));
	t_as(1000, 1000);
	ASSERT_STATUS(t_readdir(d, 0, 4096, entries, &n), 13);
	ASSERT_STATUS(t_readdirplus(d, 0, 4096, 4096, entries, &n), 13);
}

static void
test_listing_of_a_file(void)
{
	uint32_t n;

	ASSERT_STATUS(t_readdir(make_file("f"), 0, 4096, entries, &n), 20);
}

static void
test_page_too_small_for_one_entry(void)
{
	uint32_t n;

	make_many(top, 3);
	ASSERT_STATUS(t_readdir(top, 2, 110, entries, &n), 10005);
	ASSERT_STATUS(t_readdirplus(top, 2, 4096, 200, entries, &n), 10005);
	ASSERT_OK(t_readdir(top, 2, 200, entries, &n));
	g_assert_cmpuint(n, >, 0);
}

static void
test_mkdir_over_a_name_that_exists(void)
{
	make_file("f");
	ASSERT_STATUS(t_mkdir(top, "f", 0755), 17);
	ASSERT_STATUS(t_symlink(top, "f", "x"), 17);
	ASSERT_STATUS(t_mknod(top, "f", DFS_TYPE_FIFO, 0, 0), 17);
}

int
main(int argc, char **argv)
{
	test_nfs3_init(&argc, &argv);
#define ADD(name, fn) test_nfs3_add("/nfs/names/" name, fn)
	ADD("dot-and-dot-dot", test_dot_and_dot_dot);
	ADD("lookup-needs-search-permission", test_lookup_needs_search_permission);
	ADD("lookup-in-a-file", test_lookup_in_a_file);
	ADD("long-names", test_long_names);
	ADD("names-that-cannot-be", test_names_that_cannot_be);
	ADD("dots-cannot-be-made-or-removed", test_dots_cannot_be_made_or_removed);
	ADD("every-byte-value", test_every_byte_value);
	ADD("remove-of-a-directory", test_remove_of_a_directory);
	ADD("rmdir-of-a-file", test_rmdir_of_a_file);
	ADD("rmdir-of-a-full-directory", test_rmdir_of_a_full_directory);
	ADD("removed-name-is-gone-and-free-again", test_removed_name_is_gone_and_free_again);
	ADD("sticky-directory-protects-files", test_sticky_directory_protects_files);
	ADD("changing-a-directory-needs-write-permission",
	    test_changing_a_directory_needs_write_permission);
	ADD("rename-keeps-the-handle", test_rename_keeps_the_handle);
	ADD("rename-over-a-file", test_rename_over_a_file);
	ADD("rename-between-kinds", test_rename_between_kinds);
	ADD("rename-over-directories", test_rename_over_directories);
	ADD("rename-of-links-to-one-file-does-nothing",
	    test_rename_of_links_to_one_file_does_nothing);
	ADD("rename-onto-itself", test_rename_onto_itself);
	ADD("rename-into-its-own-subtree", test_rename_into_its_own_subtree);
	ADD("directory-that-moves-takes-its-parent-along",
	    test_directory_that_moves_takes_its_parent_along);
	ADD("rename-of-nothing", test_rename_of_nothing);
	ADD("listing-is-complete", test_listing_is_complete);
	ADD("dots-of-a-listing", test_dots_of_a_listing);
	ADD("listing-agrees-with-lookup", test_listing_agrees_with_lookup);
	ADD("removing-while-listing-misses-nothing", test_removing_while_listing_misses_nothing);
	ADD("adding-while-listing-repeats-nothing", test_adding_while_listing_repeats_nothing);
	ADD("listing-needs-read-permission", test_listing_needs_read_permission);
	ADD("listing-of-a-file", test_listing_of_a_file);
	ADD("page-too-small-for-one-entry", test_page_too_small_for_one_entry);
	ADD("mkdir-over-a-name-that-exists", test_mkdir_over_a_name_that_exists);
	return test_nfs3_run();
}
