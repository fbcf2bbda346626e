/* SPDX-License-Identifier: MIT
 *
 * Each check of a reply, one by one.
 */
#include <glib.h>

#include "bench.h"
#include "pattern.h"

static struct thread *t;
static struct bench b;
static struct phase phase;
static struct object object;
static uint8_t buf[8192];
static struct xdrw w;

void
engine_error(struct thread *thread, const char *fmt, ...)
{
	thread->tally.errors++;
}

static void
setup(void)
{
	pattern_init();
	g_free(t);
	t = g_new0(struct thread, 1);
	memset(&object, 0, sizeof object);
	memset(&phase, 0, sizeof phase);
	b.phase = &phase;
	t->b = &b;
	w.p = buf;
}

static enum verdict
check(struct slot *s)
{
	const uint8_t *data;
	struct xdrr in = {buf, w.p, false};

	enum verdict v = reply_check(t, s, &in, &data);
	g_assert_cmpuint(t->tally.errors, ==, v == VERDICT_ERROR);
	return v;
}

static void
put_attr(uint64_t fileid)
{
	memset(w.p, 0, NFS3_FATTR);
	xdrw_poke64(w.p + FATTR_FILEID, fileid);
	w.p += NFS3_FATTR;
}

static void
put_wcc(void)
{
	xdrw_u32(&w, 0);
	xdrw_u32(&w, 0);
}

static void
test_status(void)
{
	struct slot s = {.proc = NFS3_REMOVE};

	setup();
	xdrw_u32(&w, NFS3ERR_NOENT);
	put_wcc();
	g_assert_cmpint(check(&s), ==, VERDICT_ERROR);
}

static void
test_tolerated(void)
{
	struct slot s = {.proc = NFS3_REMOVE};

	setup();
	phase.tolerated = NFS3ERR_NOENT;
	xdrw_u32(&w, NFS3ERR_NOENT);
	put_wcc();
	g_assert_cmpint(check(&s), ==, VERDICT_OK);
}

static void
test_jukebox(void)
{
	struct slot s = {.proc = NFS3_REMOVE};

	setup();
	xdrw_u32(&w, NFS3ERR_JUKEBOX);
	put_wcc();
	g_assert_cmpint(check(&s), ==, VERDICT_RETRY);
}

static void
test_trailing_bytes(void)
{
	struct slot s = {.proc = NFS3_REMOVE};

	setup();
	xdrw_u32(&w, NFS3_OK);
	put_wcc();
	xdrw_u32(&w, 0);
	g_assert_cmpint(check(&s), ==, VERDICT_ERROR);
}

static void
test_cut_off(void)
{
	struct slot s = {.proc = NFS3_REMOVE};

	setup();
	xdrw_u32(&w, NFS3_OK);
	xdrw_u32(&w, 0);
	g_assert_cmpint(check(&s), ==, VERDICT_ERROR);
}

static void
test_fileid(void)
{
	struct slot s = {.proc = NFS3_GETATTR, .object = &object};

	setup();
	object.fileid = 7;
	xdrw_u32(&w, NFS3_OK);
	put_attr(7);
	g_assert_cmpint(check(&s), ==, VERDICT_OK);
	object.fileid = 8;
	g_assert_cmpint(check(&s), ==, VERDICT_ERROR);
}

static void
test_handle(void)
{
	struct slot s = {.proc = NFS3_LOOKUP, .object = &object};

	setup();
	object.fh = (struct fh){4, "abcd"};
	xdrw_u32(&w, NFS3_OK);
	xdrw_opaque(&w, "abcd", 4);
	put_wcc();
	g_assert_cmpint(check(&s), ==, VERDICT_OK);
	object.fh.data[3] = 'e';
	g_assert_cmpint(check(&s), ==, VERDICT_ERROR);
}

static enum verdict
write_reply(struct slot *s, uint32_t count, uint32_t committed, uint64_t verf)
{
	w.p = buf;
	t->tally.errors = 0;
	xdrw_u32(&w, NFS3_OK);
	put_wcc();
	xdrw_u32(&w, count);
	xdrw_u32(&w, committed);
	xdrw_u64(&w, verf);
	return check(s);
}

static void
test_write(void)
{
	struct slot s = {.proc = NFS3_WRITE, .len = 4096, .stable = WRITE_FILE_SYNC};

	setup();
	g_assert_cmpint(write_reply(&s, 4096, 2, 1), ==, VERDICT_OK);
	g_assert_cmpint(write_reply(&s, 4095, 2, 1), ==, VERDICT_ERROR);
	g_assert_cmpint(write_reply(&s, 4096, 1, 1), ==, VERDICT_ERROR);
	s.stable = WRITE_UNSTABLE;
	g_assert_cmpint(write_reply(&s, 4096, 0, 1), ==, VERDICT_OK);
	g_assert_cmpint(write_reply(&s, 4096, 2, 1), ==, VERDICT_OK);
}

static void
test_verifier(void)
{
	struct slot s = {.proc = NFS3_WRITE, .len = 4096};

	setup();
	g_assert_cmpint(write_reply(&s, 4096, 0, 1), ==, VERDICT_OK);
	g_assert_cmpint(write_reply(&s, 4096, 0, 2), ==, VERDICT_ERROR);
	g_assert_cmpint(write_reply(&s, 4096, 0, 2), ==, VERDICT_OK);
}

static enum verdict
read_reply(struct slot *s, uint32_t count, uint32_t len)
{
	w.p = buf;
	t->tally.errors = 0;
	xdrw_u32(&w, NFS3_OK);
	xdrw_u32(&w, 0);
	xdrw_u32(&w, count);
	xdrw_u32(&w, 1);
	xdrw_u32(&w, len);
	return check(s);
}

static void
test_read(void)
{
	struct slot s = {.proc = NFS3_READ, .len = 4096, .object = &object};

	setup();
	g_assert_cmpint(read_reply(&s, 4096, 4096), ==, VERDICT_OK);
	g_assert_cmpint(read_reply(&s, 4096, 4092), ==, VERDICT_ERROR);
	g_assert_cmpint(read_reply(&s, 4000, 4000), ==, VERDICT_ERROR);
	g_assert_cmpint(read_reply(&s, 8192, 8192), ==, VERDICT_ERROR);
}

static void
test_data(void)
{
	struct slot s = {.proc = NFS3_READ, .len = 4096, .off = 8192, .object = &object};
	static uint8_t data[4096];

	setup();
	object.index = 3;
	memcpy(data, pattern_at(3, 0, 8192), sizeof data);
	g_assert_true(reply_compare(t, &s, data));
	s.off += 4096; /* the block next to it */
	g_assert_false(reply_compare(t, &s, data));
	s.off -= 4096;
	object.index = 4; /* another file's */
	g_assert_false(reply_compare(t, &s, data));
	object.index = 3;
	s.generation = 1; /* what it was before */
	g_assert_false(reply_compare(t, &s, data));
	s.generation = 0;
	data[4095] ^= 1;
	g_assert_false(reply_compare(t, &s, data));
}

static void
put_entry(const char *name, uint64_t cookie)
{
	xdrw_u32(&w, 1);
	xdrw_u64(&w, 1);
	xdrw_opaque(&w, name, (uint32_t)strlen(name));
	xdrw_u64(&w, cookie);
	xdrw_u32(&w, 0);
	xdrw_u32(&w, 1);
	xdrw_opaque(&w, "abcd", 4);
}

static void
begin_list(void)
{
	xdrw_u32(&w, NFS3_OK);
	xdrw_u32(&w, 0);
	xdrw_u64(&w, 99);
}

static void
test_list(void)
{
	struct slot s = {.proc = NFS3_READDIRPLUS, .prefix = 'e'};

	setup();
	begin_list();
	put_entry(".", 1);
	put_entry("..", 2);
	put_entry("e00000005", 3);
	put_entry("e00000010", 77);
	xdrw_u32(&w, 0);
	xdrw_u32(&w, 1);
	g_assert_cmpint(check(&s), ==, VERDICT_OK);
	g_assert_cmpuint(s.seen, ==, 2);
	g_assert_cmpuint(s.sum, ==, 15);
	g_assert_cmpuint(s.off, ==, 77);
	g_assert_cmpuint(s.cookie_verf, ==, 99);
	g_assert_true(t->res.eof);
}

static void
test_list_strange_name(void)
{
	struct slot s = {.proc = NFS3_READDIRPLUS, .prefix = 'e'};

	setup();
	begin_list();
	put_entry("e0000000x", 3);
	xdrw_u32(&w, 0);
	xdrw_u32(&w, 1);
	g_assert_cmpint(check(&s), ==, VERDICT_ERROR);
}

static void
test_list_without_progress(void)
{
	struct slot s = {.proc = NFS3_READDIRPLUS, .prefix = 'e'};

	setup();
	begin_list();
	xdrw_u32(&w, 0);
	xdrw_u32(&w, 0);
	g_assert_cmpint(check(&s), ==, VERDICT_ERROR);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/reply/an-nfs-status-is-an-error", test_status);
	g_test_add_func("/reply/a-tolerated-status-is-none", test_tolerated);
	g_test_add_func("/reply/jukebox-is-retried", test_jukebox);
	g_test_add_func("/reply/trailing-bytes-are-an-error", test_trailing_bytes);
	g_test_add_func("/reply/a-cut-off-reply-is-an-error", test_cut_off);
	g_test_add_func("/reply/another-fileid-is-an-error", test_fileid);
	g_test_add_func("/reply/another-handle-is-an-error", test_handle);
	g_test_add_func("/reply/write-count-and-stability", test_write);
	g_test_add_func("/reply/a-changed-verifier-is-told-once", test_verifier);
	g_test_add_func("/reply/read-counts", test_read);
	g_test_add_func("/reply/wrong-data-is-seen", test_data);
	g_test_add_func("/reply/a-listing-is-counted-and-summed", test_list);
	g_test_add_func("/reply/a-strange-name-is-an-error", test_list_strange_name);
	g_test_add_func("/reply/a-listing-without-progress-is-an-error",
			test_list_without_progress);
	return g_test_run();
}
