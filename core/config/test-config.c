/* SPDX-License-Identifier: MIT
 *
 * What a configuration says: what is read, and for each kind of mistake the exact sentence with file,
 * line and key.  Plugins are the fixtures of core/plugin.
 */
#include <string.h>

#include <glib.h>

#include "config/config.h"

static struct dfs_registry *registry;

/* Lines 1 to 5 of most texts below. */
#define HEAD                                                                                       \
	"server = { state_dir = \"/srv/state\"; };\n"                                              \
	"metadata_stores = { meta = { type = \"plain\"; path = \"m\"; }; };\n"                     \
	"block_stores = { data = { type = \"two-words\"; };\n"                                     \
	"    ram = { type = \"good\"; }; };\n"                                                     \
	"adapters = { plain = { }; };\n"
/* A share that begins on line 6; more: further settings on line 7. */
#define SHARE(more)                                                                                \
	"shares = { home = { path = \"/home\"; metadata = \"meta\"; blocks = \"data\";\n" more     \
	" }; };\n"

static struct dfs_config *
parse(const char *text)
{
	struct dfs_config *config = NULL;
	g_autofree char *error = NULL;

	dfs_config_parse(text, "t.conf", registry, &config, &error);
	g_assert_cmpstr(error, ==, NULL);
	return config;
}

static void
the_whole_file_is_read(void)
{
	struct dfs_config *c = parse(HEAD SHARE("read_only = true; durability = \"process\";"));

	g_assert_cmpstr(c->path, ==, "t.conf");
	g_assert_cmpuint(c->n_stores, ==, 3);
	g_assert_cmpuint(c->n_shares, ==, 1);
	g_assert_cmpuint(c->n_adapters, ==, 1);
	g_assert_cmpstr(c->shares[0].name, ==, "home");
	g_assert_cmpstr(c->shares[0].path, ==, "/home");
	g_assert_true(c->shares[0].metadata == &c->stores[0]);
	g_assert_true(c->shares[0].blocks == &c->stores[1]);
	g_assert_true(c->shares[0].read_only);
	g_assert_cmpint(c->shares[0].durability, ==, DFS_DURABILITY_PROCESS);
	g_assert_cmpstr(c->stores[1].plugin->desc.name, ==, "two_words");
	g_assert_cmpstr(c->stores[2].where, ==, "t.conf:4");
	g_assert_null(c->warnings[0]);
	dfs_config_free(c);
}

static void
a_share_chooses_how_it_flushes(void)
{
	struct dfs_config *c =
		parse(HEAD SHARE("flush_strategy = \"hybrid\"; temp_prefix = \"tmp-1\"; "
				 "size_threshold_mb = 100; upload_concurrency = 16;"));
	const struct dfs_flush_options *f = &c->shares[0].flush;

	g_assert_cmpint(f->strategy, ==, DFS_STRATEGY_HYBRID);
	g_assert_cmpstr(f->local_dir, ==, "/srv/state/flush");
	g_assert_cmpstr(f->temp_prefix, ==, "tmp-1");
	g_assert_cmpuint(f->size_threshold, ==, 100u << 20);
	g_assert_cmpuint(f->upload_concurrency, ==, 16);
	dfs_config_free(c);
	c = parse(HEAD SHARE("local_temp_dir = \"/scratch\";"));
	f = &c->shares[0].flush;
	g_assert_cmpint(f->strategy, ==, DFS_STRATEGY_AUTO);
	g_assert_cmpstr(f->local_dir, ==, "/scratch");
	g_assert_cmpstr(f->temp_prefix, ==, "___temp");
	g_assert_cmpuint(f->size_threshold, ==, 8u << 20);
	g_assert_cmpuint(f->upload_concurrency, ==, 4);
	dfs_config_free(c);
}

static void
a_share_has_quotas(void)
{
	struct dfs_config *c = parse(HEAD SHARE(
		"quotas = { share = { bytes_hard = \"10G\"; files_hard = 1000; };"
		"default_user = { bytes_soft = \"1G\"; bytes_hard = \"2G\"; grace = \"1h\"; };"
		"users = ( { id = 1000; files_soft = 5; }, { id = 7; bytes_hard = 4096; } );"
		"groups = ( { id = 0; files_hard = 3; } ); };"));
	const struct dfs_quota_rules *q = c->shares[0].quotas;

	g_assert_cmpuint(q->share.bytes_hard, ==, UINT64_C(10) << 30);
	g_assert_cmpuint(q->share.files_hard, ==, 1000);
	g_assert_cmpuint(q->share.bytes_soft, ==, 0);
	g_assert_cmpuint(q->default_user.bytes_soft, ==, UINT64_C(1) << 30);
	g_assert_cmpint(q->default_user.grace, ==, INT64_C(3600000000000));
	g_assert_cmpuint(q->n_users, ==, 2);
	g_assert_cmpuint(q->rules[0].id, ==, 7);
	g_assert_cmpuint(q->rules[0].limit.bytes_hard, ==, 4096);
	g_assert_cmpuint(q->rules[1].id, ==, 1000);
	g_assert_cmpuint(q->rules[1].limit.files_soft, ==, 5);
	g_assert_cmpint(q->rules[1].limit.grace, ==, INT64_C(7) * 86400000000000);
	g_assert_cmpuint(q->n_groups, ==, 1);
	g_assert_cmpuint(q->rules[2].limit.files_hard, ==, 3);
	dfs_config_free(c);
	c = parse(HEAD SHARE("quotas = { };"));
	g_assert_nonnull(c->shares[0].quotas);
	dfs_config_free(c);
	c = parse(HEAD SHARE(""));
	g_assert_null(c->shares[0].quotas);
	dfs_config_free(c);
}

static void
the_server_has_defaults(void)
{
	struct dfs_config *c = parse("");

	g_assert_cmpstr(c->server.state_dir, ==, "/var/lib/dittofs");
	g_assert_cmpint(c->server.threads, ==, 0);
	g_assert_cmpint(c->server.log_level, ==, DFS_LOG_INFO);
	g_assert_cmpint(c->server.log_format, ==, DFS_LOG_TEXT);
	g_assert_cmpuint(c->server.drain, ==, UINT64_C(10000000000));
	g_assert_cmpuint(c->server.write_out, ==, UINT64_C(60000000000));
	dfs_config_free(c);
}

static void
the_server_is_configured(void)
{
	struct dfs_config *c =
		parse("server = { threads = 3; cache_size = \"1G\"; drain = \"2m\";\n"
		      "log = { level = \"debug\"; format = \"json\"; }; };");

	g_assert_cmpint(c->server.threads, ==, 3);
	g_assert_cmpuint(c->server.cache_size, ==, UINT64_C(1) << 30);
	g_assert_cmpuint(c->server.drain, ==, UINT64_C(120000000000));
	g_assert_cmpint(c->server.log_level, ==, DFS_LOG_DEBUG);
	g_assert_cmpint(c->server.log_format, ==, DFS_LOG_JSON);
	dfs_config_free(c);
}

static void
store_paths_start_at_the_state_folder(void)
{
	struct dfs_config *c = parse(HEAD);

	g_assert_cmpstr(*(const char **)c->stores[0].options.values, ==, "/srv/state/m");
	dfs_config_free(c);
}

static void
without_clients_only_loopback_is_served(void)
{
	struct dfs_config *c = parse(HEAD SHARE(""));
	const struct dfs_share_rules *rules = c->shares[0].rules;
	static const uint8_t v4[16] = {[10] = 0xff, 0xff, 127}, v6[16] = {[15] = 1};

	g_assert_cmpuint(rules->n, ==, 2);
	g_assert_cmpmem(rules->rules[0].addr, 16, v4, 16);
	g_assert_cmpuint(rules->rules[0].prefix_len, ==, 104);
	g_assert_cmpmem(rules->rules[1].addr, 16, v6, 16);
	g_assert_cmpuint(rules->rules[1].prefix_len, ==, 128);
	g_assert_cmpuint(rules->rules[1].squash, ==, DFS_SQUASH_ROOT);
	g_assert_false(rules->rules[1].read_only);
	g_assert_cmpuint(rules->rules[1].anon_uid, ==, 65534);
	dfs_config_free(c);
}

static void
client_rules_are_read(void)
{
	struct dfs_config *c = parse(HEAD SHARE(
		"clients = ( { match = \"10.1.0.0/16\"; access = \"ro\"; squash = \"all\";\n"
		"anon_uid = 4000000000L; anon_gid = 7; secure = true; },\n"
		"{ match = [ \"fe80::/10\", \"192.0.2.7\" ]; squash = \"none\"; } );"));
	const struct dfs_share_rules *rules = c->shares[0].rules;

	g_assert_cmpuint(rules->n, ==, 3);
	g_assert_cmpuint(rules->rules[0].prefix_len, ==, 112);
	g_assert_true(rules->rules[0].read_only);
	g_assert_true(rules->rules[0].secure);
	g_assert_cmpuint(rules->rules[0].squash, ==, DFS_SQUASH_ALL);
	g_assert_cmpuint(rules->rules[0].anon_uid, ==, 4000000000u);
	g_assert_cmpuint(rules->rules[0].anon_gid, ==, 7);
	g_assert_cmpuint(rules->rules[1].prefix_len, ==, 10);
	g_assert_cmpuint(rules->rules[1].squash, ==, DFS_SQUASH_NONE);
	g_assert_cmpuint(rules->rules[2].prefix_len, ==, 128);
	g_assert_cmpuint(rules->rules[2].addr[15], ==, 7);
	dfs_config_free(c);
}

static void
an_adapter_may_have_a_name_of_its_own(void)
{
	struct dfs_config *c = parse("adapters = { a = { type = \"plain\"; port = 1; };\n"
				     "b = { type = \"plain\"; port = 2; }; };");

	g_assert_cmpuint(c->n_adapters, ==, 2);
	g_assert_cmpstr(c->adapters[1].name, ==, "b");
	g_assert_cmpstr(c->adapters[1].plugin->desc.name, ==, "plain");
	dfs_config_free(c);
}

struct text {
	const char *test, *text, *sentence;
};

#define META "metadata_stores = { m = {\n type = \"plain\"; path = \"m\";\n "
#define META_END " }; };"

static const struct text mistakes[] = {
	{"syntax", "server = {\n a = ;\n};", "t.conf:2: syntax error in: a = ;"},
	{"syntax-hides-strings", "server = {\n token = \"hunter2\" 3;\n};",
	 "t.conf:2: syntax error in: token = \"...\" 3;"},
	{"syntax-hides-comments", "server = {\n a = ; # \" /* \n};",
	 "t.conf:2: syntax error in: a = ; "},
	{"endless-string", "server = {\n state_dir = \"/x\\\";\n};",
	 "t.conf:2: the string that begins here has no end"},
	{"endless-comment", "\n\nserver = { }; /*/\n",
	 "t.conf:3: the comment that begins here has no end"},
	{"key-twice", "server = {\n threads = 1;\n threads = 2;\n};",
	 "t.conf:3: duplicate setting name in: threads = 2;"},
	{"integer-over-32-bits", "server = {\n threads = 4294967296;\n};",
	 "t.conf:2: threads: 4294967296 needs more than 32 bits; append L to it"},
	{"integer-over-64-bits", "server = {\n threads = 99999999999999999999L;\n};",
	 "t.conf:2: threads: 99999999999999999999 needs more than 64 bits"},
	{"include-from-memory", "\n@include \"x\"", "t.conf:2: @include is not allowed here"},
	{"unknown-section", "\nserve = { };",
	 "t.conf:2: serve: unknown key; did you mean \"server\"?"},
	{"section-no-group", "\nserver = 5;",
	 "t.conf:2: server: an integer does not fit; want a group "
	 "{ }"},
	{"stores-no-group", "\nblock_stores = ( 1, 2 );",
	 "t.conf:2: block_stores: a list ( ) does not fit; want a group { }"},
	{"adapters-no-group", "adapters = \"nfs\";",
	 "t.conf:1: adapters: a string does not fit; want a group { }"},
	{"shares-no-group", "shares = true;",
	 "t.conf:1: shares: a truth value does not fit; want a group { }"},
	{"log-no-group", "server = {\n log = \"debug\"; };",
	 "t.conf:2: server.log: a string does not fit; want a group { }"},
	{"unknown-server-key", "server = {\n state_dri = \"/x\"; };",
	 "t.conf:2: server.state_dri: unknown key; did you mean \"state_dir\"?"},
	{"misspelt-log", "server = {\n lgo = { }; };",
	 "t.conf:2: server.lgo: unknown key; did you mean \"log\"?"},
	{"unknown-log-key", "server = { log = {\n color = 1; }; };",
	 "t.conf:2: server.log.color: unknown key; known keys: level, format"},
	{"log-level", "server = { log = {\n level = \"inof\"; }; };",
	 "t.conf:2: server.log.level: \"inof\" is not allowed; want one of error, warn, info, "
	 "debug; did "
	 "you mean \"info\"?"},
	{"relative-state", "server = {\n state_dir = \"state\"; };",
	 "t.conf:2: server.state_dir: \"state\" is not absolute; want a path"},
	{"threads-range", "server = {\n threads = 1000; };",
	 "t.conf:2: server.threads: \"1000\" is out of range; want an integer from 0 to 256"},
	{"tiny-cache", "server = {\n cache_size = 4096; };",
	 "t.conf:2: server.cache_size: less than 16M is not enough; want 0 or at least 16M"},
	{"drain-unit", "server = {\n drain = 10; };",
	 "t.conf:2: server.drain: \"10\" has no unit; want a duration from 0s to 1h, with the unit "
	 "ns, "
	 "us, ms, s, m, h or d"},

	{"store-no-group", "metadata_stores = {\n m = \"plain\"; };",
	 "t.conf:2: metadata_stores.m: a string does not fit; want a group { }"},
	{"store-without-type", "metadata_stores = {\n m = { path = \"x\"; }; };",
	 "t.conf:2: metadata_stores.m.type: required, but not there; want the name of a metadata "
	 "plugin"},
	{"store-type-no-string", "metadata_stores = { m = {\n type = 3; }; };",
	 "t.conf:2: metadata_stores.m.type: an integer does not fit; want the name of a plugin"},
	{"store-type-no-name", "block_stores = { b = {\n type = \"../x\"; }; };",
	 "t.conf:2: block_stores.b.type: \"../x\" is no plugin name: wanted [a-z][a-z0-9_-]*"},
	{"store-name", "block_stores = {\n a*b = { type = \"good\"; }; };",
	 "t.conf:2: block_stores.a*b: the name has the character *; want letters, digits and . _ "
	 "-"},
	{"store-name-length",
	 "block_stores = {\n "
	 "a23456789012345678901234567890123456789012345678901234567890xyzw = { type = \"good\"; }; "
	 "};",
	 "t.conf:2: "
	 "block_stores.a23456789012345678901234567890123456789012345678901234567890xyzw: the name "
	 "has 64 "
	 "bytes; want at most 63"},
	{"option-required", "metadata_stores = {\n m = { type = \"plain\"; }; };",
	 "t.conf:2: metadata_stores.m.path: required, but not there; want a path"},
	{"option-unknown", META "pth = 1;" META_END,
	 "t.conf:3: metadata_stores.m.pth: unknown key; did you mean \"path\"?"},
	{"option-string-for-int", META "level = \"3\";" META_END,
	 "t.conf:3: metadata_stores.m.level: a string does not fit; want an integer from 1 to 9"},
	{"option-float-for-int", META "level = 3.5;" META_END,
	 "t.conf:3: metadata_stores.m.level: a floating-point number does not fit; want an integer "
	 "from "
	 "1 to 9"},
	{"option-int-for-string", META "label = 3;" META_END,
	 "t.conf:3: metadata_stores.m.label: an integer does not fit; want a string of 1 to 8 "
	 "bytes"},
	{"option-int-for-bool", META "sync = 1;" META_END,
	 "t.conf:3: metadata_stores.m.sync: an integer does not fit; want true or false"},
	{"option-int-for-mode", META "mode = 0755;" META_END,
	 "t.conf:3: metadata_stores.m.mode: an integer does not fit; want permission bits as octal "
	 "text "
	 "such as \"0755\""},
	{"option-bool-for-enum", META "order = true;" META_END,
	 "t.conf:3: metadata_stores.m.order: a truth value does not fit; want one of up, down"},
	{"option-list-for-string", META "label = [ \"a\" ];" META_END,
	 "t.conf:3: metadata_stores.m.label: an array [ ] does not fit; want a string of 1 to 8 "
	 "bytes"},
	{"option-group-for-list", META "hosts = { };" META_END,
	 "t.conf:3: metadata_stores.m.hosts: a group { } does not fit; want a list of strings"},
	{"option-list-of-int", META "hosts = (\n\"a\",\n3 );" META_END,
	 "t.conf:5: metadata_stores.m.hosts[1]: an integer does not fit; want a string"},
	{"option-size-range", META "cache = \"2G\";" META_END,
	 "t.conf:3: metadata_stores.m.cache: \"2G\" is out of range; want a size from 1M to 1G, in "
	 "bytes "
	 "or with the suffix K, M, G or T"},
	{"option-size-negative", META "cache = -1;" META_END,
	 "t.conf:3: metadata_stores.m.cache: \"-1\" does not begin with a digit; want a size from "
	 "1M to "
	 "1G, in bytes or with the suffix K, M, G or T"},
	{"option-secret-hidden", META "token = \"abc\";" META_END,
	 "t.conf:3: metadata_stores.m.token: the secret is too short; want a secret of 4 to 64 "
	 "bytes: "
	 "file:PATH, env:NAME or the text itself"},
	{"option-combination", META "level = 7;\n sync = false;" META_END,
	 "t.conf:3: metadata_stores.m.level: level 7 wants sync"},

	{"adapter-option", "adapters = { plain = {\n prot = 1; }; };",
	 "t.conf:2: adapters.plain.prot: unknown key; did you mean \"port\"?"},

	{"share-no-group", HEAD "shares = { a = 1; };",
	 "t.conf:6: shares.a: an integer does not fit; want a group { }"},
	{"share-unknown-key", HEAD SHARE("client = 1;"),
	 "t.conf:7: shares.home.client: unknown key; did you mean \"clients\"?"},
	{"share-without-path", HEAD "shares = {\n a = { metadata = \"meta\"; }; };",
	 "t.conf:7: shares.a.path: required, but not there; want a string of 1 to 1024 bytes"},
	{"share-without-store", HEAD "shares = {\n a = { path = \"/a\"; metadata = \"meta\"; }; };",
	 "t.conf:7: shares.a.blocks: required, but not there; want a string of 1 to 63 bytes"},
	{"share-durability", HEAD SHARE("durability = \"disk\";"),
	 "t.conf:7: shares.home.durability: \"disk\" is not allowed; want one of none, process, "
	 "power, remote"},
	{"share-strategy", HEAD SHARE("flush_strategy = \"locl\";"),
	 "t.conf:7: shares.home.flush_strategy: \"locl\" is not allowed; want one of auto, "
	 "local_flush_move, direct_flush_temp, hybrid"},
	{"share-temp-prefix", HEAD SHARE("temp_prefix = \"a/b\";"),
	 "t.conf:7: shares.home.temp_prefix: \"a/b\" is no part of a key; want letters, digits and "
	 ". _ -, and no dot in front"},
	{"share-temp-prefix-of-files", HEAD SHARE("temp_prefix = \"ab\";"),
	 "t.conf:7: shares.home.temp_prefix: \"ab\" is too short; want a string of 3 to 64 bytes"},
	{"share-missing-metadata",
	 HEAD "shares = { a = { path = \"/a\";\n metadata = \"mete\";\n blocks = \"data\"; }; };",
	 "t.conf:7: shares.a.metadata: there is no metadata store \"mete\"; did you mean "
	 "\"meta\"?"},
	{"share-missing-blocks",
	 HEAD
	 "shares = { a = { path = \"/a\";\n metadata = \"meta\";\n blocks = \"nowhere\"; }; };",
	 "t.conf:8: shares.a.blocks: there is no block store \"nowhere\"; known block stores: "
	 "data, ram"},
	{"share-same-path",
	 HEAD SHARE("}; more = {\n path = \"/home\"; metadata = \"meta\"; blocks = \"data\";"),
	 "t.conf:8: shares.more.path: \"/home\" is the path of shares.home (t.conf:6) too; want a "
	 "path "
	 "of its own"},

	{"quotas-no-group", HEAD SHARE("quotas = 5;"),
	 "t.conf:7: shares.home.quotas: an integer does not fit; want a group { }"},
	{"quotas-unknown-key", HEAD SHARE("quotas = {\n user = ( ); };"),
	 "t.conf:8: shares.home.quotas.user: unknown key; did you mean \"users\"?"},
	{"quota-unknown-key", HEAD SHARE("quotas = { share = {\n byte_hard = 1; }; };"),
	 "t.conf:8: shares.home.quotas.share.byte_hard: unknown key; did you mean \"bytes_hard\"?"},
	{"quota-soft-above-hard",
	 HEAD SHARE("quotas = { default_user = { files_soft = 2; files_hard = 1; }; };"),
	 "t.conf:7: shares.home.quotas.default_user.files_soft: it is above files_hard"},
	{"quota-without-id", HEAD SHARE("quotas = { groups = (\n { files_hard = 1; } ); };"),
	 "t.conf:8: shares.home.quotas.groups[0].id: required, but not there; want an integer "
	 "from 0 to 4294967294"},
	{"quota-of-root", HEAD SHARE("quotas = { users = ( { id = 0; } ); };"),
	 "t.conf:7: shares.home.quotas.users[0].id: no limit binds user 0; want another one"},
	{"quota-id-twice",
	 HEAD SHARE("quotas = { users = ( { id = 5; }, { id = 4; },\n { id = 5; } ); };"),
	 "t.conf:8: shares.home.quotas.users[2].id: an earlier row has 5 too"},
	{"quota-no-list", HEAD SHARE("quotas = { users = { }; };"),
	 "t.conf:7: shares.home.quotas.users: a group { } does not fit; want a list ( ) of groups "
	 "{ }"},

	{"clients-no-list", HEAD SHARE("clients = { };"),
	 "t.conf:7: shares.home.clients: a group { } does not fit; want a list ( ) of groups { }"},
	{"client-no-group", HEAD SHARE("clients = ( \"127.0.0.1\" );"),
	 "t.conf:7: shares.home.clients[0]: a string does not fit; want a group { }"},
	{"client-without-match",
	 HEAD SHARE("clients = (\n { match = \"::1\"; },\n{ access = \"rw\"; } );"),
	 "t.conf:9: shares.home.clients[1].match: required, but not there; want a list of strings"},
	{"client-unknown-key", HEAD SHARE("clients = ( { match = \"::1\";\n acess = \"rw\"; } );"),
	 "t.conf:8: shares.home.clients[0].acess: unknown key; did you mean \"access\"?"},
	{"client-no-address", HEAD SHARE("clients = ( {\n match = \"localhost\"; } );"),
	 "t.conf:8: shares.home.clients[0].match: \"localhost\" is no address range; want ADDRESS, "
	 "ADDRESS/BITS (IPv4 or IPv6) or \"*\""},
	{"client-host-bits", HEAD SHARE("clients = ( { match = \"10.1.2.3/8\"; } );"),
	 "t.conf:7: shares.home.clients[0].match: \"10.1.2.3/8\" has host bits set; did you mean "
	 "\"10.0.0.0/8\"?"},
	{"client-host-bits-6", HEAD SHARE("clients = ( { match = \"2001:db8::1/32\"; } );"),
	 "t.conf:7: shares.home.clients[0].match: \"2001:db8::1/32\" has host bits set; did you "
	 "mean "
	 "\"2001:db8::/32\"?"},
	{"client-prefix", HEAD SHARE("clients = ( { match = \"10.0.0.0/33\"; } );"),
	 "t.conf:7: shares.home.clients[0].match: \"10.0.0.0/33\" has a wrong prefix length; want "
	 "0 to "
	 "32"},
	{"client-empty-match", HEAD SHARE("clients = ( { match = [ ]; } );"),
	 "t.conf:7: shares.home.clients[0].match: the list is empty; want one address at least"},
	{"client-squash", HEAD SHARE("clients = ( { match = \"*\"; squash = \"rot\"; } );"),
	 "t.conf:7: shares.home.clients[0].squash: \"rot\" is not allowed; want one of none, root, "
	 "all; "
	 "did you mean \"root\"?"},
	{"client-uid", HEAD SHARE("clients = ( { match = \"*\"; anon_uid = 4294967295L; } );"),
	 "t.conf:7: shares.home.clients[0].anon_uid: \"4294967295\" is out of range; want an "
	 "integer "
	 "from 0 to 4294967294"},
};

static void
a_mistake_is_told(const void *data)
{
	const struct text *t = data;
	struct dfs_config *config = NULL;
	g_autofree char *error = NULL;

	g_assert_false(dfs_config_parse(t->text, "t.conf", registry, &config, &error));
	g_assert_cmpstr(error, ==, t->sentence);
	g_assert_null(config);
}

static const struct text paths[] = {
	{"relative", "home", "does not begin with a slash"},
	{"trailing", "/home/", "ends with a slash"},
	{"double", "/home//x", "has two slashes in a row"},
	{"dot", "/home/./x", "has a part \".\" or \"..\""},
	{"dotdot", "/..", "has a part \".\" or \"..\""},
};

static void
a_share_path_is_well_formed(const void *data)
{
	const struct text *t = data;
	struct dfs_config *config = NULL;
	g_autofree char *error = NULL;
	g_autofree char *text = g_strdup_printf(HEAD "shares = { a = {\n path = \"%s\"; metadata = "
						     "\"meta\"; blocks = \"data\"; }; };",
						t->text);
	g_autofree char *sentence = g_strdup_printf(
		"t.conf:7: shares.a.path: \"%s\" %s; want a path such as \"/export\"", t->text,
		t->sentence);

	g_assert_false(dfs_config_parse(text, "t.conf", registry, &config, &error));
	g_assert_cmpstr(error, ==, sentence);
}

static void
the_root_is_a_share_path(void)
{
	struct dfs_config *c = parse(
		HEAD
		"shares = { a = { path = \"/\"; metadata = \"meta\"; blocks = \"data\"; }; };");

	g_assert_cmpstr(c->shares[0].path, ==, "/");
	dfs_config_free(c);
}

static const struct text warnings[] = {
	{"no-shares", HEAD, "t.conf:1: shares: none, so there is nothing to serve"},
	{"no-adapters",
	 "metadata_stores = { meta = { type = \"plain\"; path = \"m\"; }; };"
	 "block_stores = { data = { type = \"two-words\"; }; };" SHARE(""),
	 "t.conf:1: adapters: none, so no client can connect"},
	{"durability-of-volatile",
	 HEAD "shares = { a = { path = \"/a\"; metadata = \"meta\"; blocks = \"ram\";\n"
	      "durability = \"power\"; }; };",
	 "t.conf:7: shares.a.durability: \"power\" cannot hold, for nothing in the block store "
	 "\"ram\" "
	 "survives the process; \"none\" says so"},
	{"covered-rule",
	 HEAD SHARE("clients = ( { match = \"10.0.0.0/8\"; },\n{ match = \"10.1.0.0/16\"; } );"),
	 "t.conf:8: shares.home.clients[1].match: \"10.1.0.0/16\" is never reached, an earlier "
	 "rule has "
	 "it"},
	{"no-clients", HEAD SHARE("clients = ( );"),
	 "t.conf:7: shares.home.clients: the list is empty, so no client has access"},
};

static void
a_doubt_is_a_warning(const void *data)
{
	const struct text *t = data;
	struct dfs_config *c = parse(t->text);

	g_assert_cmpstr(c->warnings[0], ==, t->sentence);
	g_assert_null(c->warnings[1]);
	dfs_config_free(c);
}

static void
no_warning_when_durability_none_is_said(void)
{
	struct dfs_config *c =
		parse(HEAD "shares = { a = { path = \"/a\"; metadata = \"meta\"; blocks "
			   "= \"ram\"; durability = \"none\"; }; };");

	g_assert_null(c->warnings[0]);
	dfs_config_free(c);
}

static void
a_missing_plugin_is_told(void)
{
	struct dfs_config *config = NULL;
	g_autofree char *error = NULL;

	g_assert_false(dfs_config_parse("block_stores = { b = {\n type = \"god\"; }; };", "t.conf",
					registry, &config, &error));
	g_assert_true(g_str_has_prefix(
		error,
		"t.conf:2: block_stores.b.type: there is no block plugin \"god\": no block_god.so "
		"in "));
	g_assert_true(g_str_has_suffix(error, "; did you mean \"good\"?"));
}

static void
a_broken_plugin_is_told(void)
{
	struct dfs_config *config = NULL;
	g_autofree char *error = NULL;

	g_assert_false(dfs_config_parse("block_stores = { b = {\n type = \"major\"; }; };",
					"t.conf", registry, &config, &error));
	g_assert_true(g_str_has_prefix(error, "t.conf:2: block_stores.b.type: /"));
	g_assert_nonnull(strstr(error, "block_major.so is built for version 99.0"));
}

static void
the_files_own_tables_are_sound(void)
{
	for (const struct dfs_config_section *s = dfs_config_sections(); s->name; s++) {
		g_autofree char *error = NULL;
		dfs_options_check_table(s->table, 4096, &error);
		g_assert_cmpstr(error, ==, NULL);
	}
}

int
main(int argc, char **argv)
{
	g_autofree char *dir = NULL;
	int status;

	g_test_init(&argc, &argv, NULL);
	dir = g_build_filename(g_getenv("DFS_BUILDDIR"), "core/plugin/.libs", NULL);
	registry = dfs_registry_new((const char *const[]){dir, NULL});
	g_test_add_func("/read/the-whole-file", the_whole_file_is_read);
	g_test_add_func("/read/a-share-chooses-how-it-flushes", a_share_chooses_how_it_flushes);
	g_test_add_func("/read/a-share-has-quotas", a_share_has_quotas);
	g_test_add_func("/read/the-server-has-defaults", the_server_has_defaults);
	g_test_add_func("/read/the-server-is-configured", the_server_is_configured);
	g_test_add_func("/read/store-paths-start-at-the-state-folder",
			store_paths_start_at_the_state_folder);
	g_test_add_func("/read/without-clients-only-loopback-is-served",
			without_clients_only_loopback_is_served);
	g_test_add_func("/read/client-rules", client_rules_are_read);
	g_test_add_func("/read/an-adapter-may-have-a-name-of-its-own",
			an_adapter_may_have_a_name_of_its_own);
	g_test_add_func("/read/the-root-is-a-share-path", the_root_is_a_share_path);
	for (unsigned i = 0; i < G_N_ELEMENTS(mistakes); i++) {
		g_autofree char *path = g_strdup_printf("/mistake/%s", mistakes[i].test);
		g_test_add_data_func(path, &mistakes[i], a_mistake_is_told);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++) {
		g_autofree char *path = g_strdup_printf("/mistake/share-path-%s", paths[i].test);
		g_test_add_data_func(path, &paths[i], a_share_path_is_well_formed);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(warnings); i++) {
		g_autofree char *path = g_strdup_printf("/warning/%s", warnings[i].test);
		g_test_add_data_func(path, &warnings[i], a_doubt_is_a_warning);
	}
	g_test_add_func("/warning/none-for-durability-none",
			no_warning_when_durability_none_is_said);
	g_test_add_func("/mistake/missing-plugin", a_missing_plugin_is_told);
	g_test_add_func("/mistake/broken-plugin", a_broken_plugin_is_told);
	g_test_add_func("/tables/sound", the_files_own_tables_are_sound);
	status = g_test_run();
	dfs_registry_free(registry);
	return status;
}
