/* SPDX-License-Identifier: MIT
 *
 * The schema's versions.  Each entry brings a schema of the version before up to its own; one that
 * was released is never changed.
 *
 * 64-bit numbers are unsigned to us and lie in a bigint bit by bit; where they are scanned in order,
 * the index holds them with the highest bit turned, which is also the order of the unsigned numbers.
 */
#include "schema.h"

#define BIASED(column) "(" column " # (-9223372036854775807-1))"

/* Long literals would be taken apart. */
/* clang-format off */
static const char version_1[] =
	"CREATE TABLE shares ( id bigint PRIMARY KEY, uuid uuid NOT NULL, root bigint NOT "
	"NULL, name bytea NOT NULL, epoch bigint NOT NULL DEFAULT 0);"
	"COMMENT ON TABLE shares IS 'DittoFS: the shares whose records are here; epoch grows "
	"when another server takes the share over';"

	"CREATE TABLE inodes ( share bigint NOT NULL, fileid bigint NOT NULL, generation "
	"bigint NOT NULL, type smallint NOT NULL, mode integer NOT NULL, nlink bigint NOT "
	"NULL, uid bigint NOT NULL, gid bigint NOT NULL, rdev_major bigint NOT NULL, "
	"rdev_minor bigint NOT NULL, length bigint NOT NULL, used bigint NOT NULL, change "
	"bigint NOT NULL, atime bigint NOT NULL, mtime bigint NOT NULL, ctime bigint NOT "
	"NULL, btime bigint NOT NULL, parent bigint NOT NULL, verifier bigint NOT NULL, flags"
	" bigint NOT NULL, content uuid NOT NULL, cut_lsn bigint NOT NULL, cut_length bigint "
	"NOT NULL, revision bigint NOT NULL DEFAULT 0, PRIMARY KEY (share, fileid)) WITH "
	"(fillfactor = 85);"
	"COMMENT ON TABLE inodes IS 'DittoFS: attributes of files; times in nanoseconds since"
	" 1970 (see the view files), type as in 1 file, 2 folder, 3 block, 4 character "
	"device, 5 link, 6 socket, 7 pipe';"
	"COMMENT ON COLUMN inodes.content IS 'names the rows of block_map; all zero: none "
	"yet';"
	"COMMENT ON COLUMN inodes.parent IS 'of folders: the folder that it lies in';"

	"CREATE TABLE dirents ( share bigint NOT NULL, dir bigint NOT NULL, cookie bigint NOT"
	" NULL, fileid bigint NOT NULL, type smallint NOT NULL, flags bigint NOT NULL, name "
	"bytea NOT NULL, PRIMARY KEY (share, dir, cookie));"
	"COMMENT ON TABLE dirents IS 'DittoFS: names in folders; cookie is made from a hash "
	"of the name and is what readers of a folder go on from; flags: 1 further names of "
	"this hash follow, 2 the place of a removed name';"

	"CREATE TABLE symlinks ( share bigint NOT NULL, fileid bigint NOT NULL, target bytea "
	"NOT NULL, PRIMARY KEY (share, fileid));"
	"COMMENT ON TABLE symlinks IS 'DittoFS: where symbolic links lead';"

	"CREATE TABLE block_map ( share bigint NOT NULL, content uuid NOT NULL, block bigint "
	"NOT NULL, lsn bigint NOT NULL, segments bytea NOT NULL);"

	"CREATE UNIQUE INDEX block_map_key ON block_map (share, content, " BIASED("block") ");"
	"COMMENT ON TABLE block_map IS 'DittoFS: which objects hold the blocks of 4 MiB of a "
	"content; see the view block_segments';"

	"CREATE TABLE objects ( share bigint NOT NULL, version bigint NOT NULL, content uuid "
	"NOT NULL, block bigint NOT NULL, refs bigint NOT NULL, length bigint NOT NULL, hash "
	"bytea) WITH (fillfactor = 85);"

	"CREATE UNIQUE INDEX objects_key ON objects (share, " BIASED("version") ");"

	"CREATE INDEX objects_hash ON objects (share, hash) WHERE hash IS NOT NULL;"
	"COMMENT ON TABLE objects IS 'DittoFS: objects that several blocks share, with the "
	"number of their references; hash is the SHA-256 of the bytes';"

	"CREATE TABLE dead_objects ( share bigint NOT NULL, at bigint NOT NULL, content uuid "
	"NOT NULL, block bigint NOT NULL, version bigint NOT NULL);"

	"CREATE UNIQUE INDEX dead_objects_key ON dead_objects (share, " BIASED("at") ", content, " BIASED("block") ","
	" " BIASED("version") ");"
	"COMMENT ON TABLE dead_objects IS 'DittoFS: objects that nothing refers to any more, "
	"to be erased from the block store';"

	"CREATE TABLE orphans ( share bigint NOT NULL, fileid bigint NOT NULL, content uuid "
	"NOT NULL);"

	"CREATE UNIQUE INDEX orphans_key ON orphans (share, " BIASED("fileid") ");"
	"COMMENT ON TABLE orphans IS 'DittoFS: removed files whose content is still to be "
	"reclaimed';"

	"CREATE TABLE server_state ( share bigint NOT NULL, key bytea NOT NULL, value bytea "
	"NOT NULL, PRIMARY KEY (share, key));"
	"COMMENT ON TABLE server_state IS 'DittoFS: named values of the servers';"

	"CREATE TABLE usage ( share bigint NOT NULL, kind bigint NOT NULL, id bigint NOT "
	"NULL, part integer NOT NULL, bytes bigint NOT NULL, files bigint NOT NULL, PRIMARY "
	"KEY (share, kind, id, part)) WITH (fillfactor = 50);"
	"COMMENT ON TABLE usage IS 'DittoFS: what quotas count, summed over part, which keeps"
	" transactions out of each other''s way; kind: 0 the share, 1 a user, 2 a group';"

	"CREATE TABLE commit_slots ( instance uuid NOT NULL, slot integer NOT NULL, number "
	"bigint NOT NULL, touched timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (instance, "
	"slot)) WITH (fillfactor = 20);"
	"COMMENT ON TABLE commit_slots IS 'DittoFS: the last commit of each session of each "
	"server, which tells a server after a loss of its connection what has taken effect';"

	"CREATE VIEW files AS SELECT share, fileid, (ARRAY['file','folder','block "
	"device','character device','link','socket','pipe'])[type] AS type, (mode >> 9 & "
	"7)::text || (mode >> 6 & 7)::text || (mode >> 3 & 7)::text || (mode & 7)::text AS "
	"mode, nlink, uid, gid, length, used, to_timestamp(atime / 1e9) AS atime, "
	"to_timestamp(mtime / 1e9) AS mtime, to_timestamp(ctime / 1e9) AS ctime, "
	"to_timestamp(btime / 1e9) AS btime, content FROM inodes;"
	"COMMENT ON VIEW files IS 'DittoFS: inodes for people';"

	"CREATE VIEW entries AS SELECT share, dir, encode(name, 'escape') AS name, fileid, "
	"cookie FROM dirents WHERE flags & 2 = 0;"
	"COMMENT ON VIEW entries IS 'DittoFS: names in folders for people';"

	"CREATE VIEW block_segments AS SELECT share, content, block, lsn, n, ('x' || "
	"encode(substr(segments, 24 * n + 1, 8), 'hex'))::bit(64)::bigint AS version, ('x' ||"
	" encode(substr(segments, 24 * n + 9, 4), 'hex'))::bit(32)::bigint AS \"offset\", "
	"('x' || encode(substr(segments, 24 * n + 13, 4), 'hex'))::bit(32)::bigint AS length,"
	" ('x' || encode(substr(segments, 24 * n + 17, 4), 'hex'))::bit(32)::bigint AS at, "
	"('x' || encode(substr(segments, 24 * n + 21, 4), 'hex'))::bit(32)::bigint AS flags "
	"FROM block_map, generate_series(0, octet_length(segments) / 24 - 1) AS n;"
	"COMMENT ON VIEW block_segments IS 'DittoFS: block_map, a row for each part of a "
	"block, the newest first: bytes [at, at + length) of the block lie in the object of "
	"this version from offset on';";
/* clang-format on */

const char *const migrations[] = {version_1};
const unsigned n_migrations = sizeof(migrations) / sizeof(migrations[0]);
