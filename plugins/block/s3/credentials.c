/* SPDX-License-Identifier: MIT
 *
 * Keys, and the places on this machine that they come from: configuration, environment, file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "credentials.h"

#define FILE_MAX (256u << 10)

static struct credentials *
new_set(const char *access_key, const char *secret_key, const char *token, int64_t expires)
{
	size_t access_len = strlen(access_key) + 1, secret_len = strlen(secret_key) + 1;
	size_t token_len = strlen(token) + 1;
	struct credentials *c = malloc(sizeof *c + access_len + secret_len + token_len);

	if (!c)
		return NULL;
	c->refs = 1;
	c->expires = expires;
	c->access_key = memcpy(c->bytes, access_key, access_len);
	c->secret_key = memcpy(c->bytes + access_len, secret_key, secret_len);
	c->session_token = memcpy(c->bytes + access_len + secret_len, token, token_len);
	return c;
}

void
credentials_unref(struct credentials *c)
{
	if (!c || --c->refs > 0)
		return;
	explicit_bzero((char *)c->secret_key, strlen(c->secret_key));
	explicit_bzero((char *)c->session_token, strlen(c->session_token));
	free(c);
}

static bool
printable(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return true;
}

enum found
credentials_make(const char *access_key, const char *secret_key, const char *token, int64_t expires,
		 const char *place, struct credentials **out, struct text *why)
{
	if (!token)
		token = "";
	if (!printable(access_key) || !printable(secret_key) || !printable(token)) {
		text_format(why, "the keys of %s hold a blank or a character that no key has",
			    place);
		return BROKEN;
	}
	*out = new_set(access_key, secret_key, token, expires);
	if (*out)
		return FOUND;
	text_put(why, "out of memory");
	return LATER;
}

static bool
given(const char *s)
{
	return s && s[0];
}

enum found
credentials_from_config(const struct credentials_config *c, struct credentials **out,
			struct text *why)
{
	if (!given(c->access_key) && !given(c->secret_key))
		return ABSENT;
	if (!given(c->access_key) || !given(c->secret_key)) {
		text_put(why, "access_key and secret_key belong together, and one is missing");
		return BROKEN;
	}
	return credentials_make(c->access_key, c->secret_key, c->session_token, 0,
				"the configuration", out, why);
}

enum found
credentials_from_env(struct credentials **out, struct text *why)
{
	const char *access_key = getenv("AWS_ACCESS_KEY_ID");
	const char *secret_key = getenv("AWS_SECRET_ACCESS_KEY");

	if (!given(access_key) || !given(secret_key))
		return ABSENT;
	return credentials_make(access_key, secret_key, getenv("AWS_SESSION_TOKEN"), 0,
				"the environment", out, why);
}

static bool
read_file(const char *path, struct text *out)
{
	char part[4096];
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int error = 0;

	if (fd < 0)
		return false;
	out->max = FILE_MAX;
	while ((n = read(fd, part, sizeof part)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			text_add(out, part, (size_t)n);
		if (n < 0 || out->failed) {
			error = n < 0 ? errno : EFBIG;
			break;
		}
	}
	explicit_bzero(part, sizeof part);
	close(fd);
	errno = error;
	return error == 0;
}

static enum found
from_profile(const struct text *ini, const char *path, const char *profile,
	     struct credentials **out, struct text *why)
{
	TEXT_AUTO access_key = {0};
	TEXT_AUTO secret_key = {0};
	TEXT_AUTO token = {0};

	if (!ini_find(ini->data, ini->len, profile, "aws_access_key_id", &access_key) ||
	    !ini_find(ini->data, ini->len, profile, "aws_secret_access_key", &secret_key)) {
		text_format(why, "%s has no keys for the profile \"%s\"", path, profile);
		return ABSENT;
	}
	ini_find(ini->data, ini->len, profile, "aws_session_token", &token);
	return credentials_make(text_string(&access_key), text_string(&secret_key),
				text_string(&token), 0, path, out, why);
}

enum found
credentials_from_file(const char *file, const char *profile, struct credentials **out,
		      struct text *why)
{
	const char *env_file = getenv("AWS_SHARED_CREDENTIALS_FILE");
	const char *env_profile = getenv("AWS_PROFILE"), *home = getenv("HOME");
	bool named = given(file) || given(profile);
	TEXT_AUTO path = {0};
	TEXT_AUTO ini = {0};
	enum found found;

	if (given(file))
		text_put(&path, file);
	else if (given(env_file))
		text_put(&path, env_file);
	else if (given(home))
		text_format(&path, "%s/.aws/credentials", home);
	else
		return ABSENT;
	if (!given(profile))
		profile = given(env_profile) ? env_profile : "default";
	if (path.failed || !read_file(path.data, &ini)) {
		text_format(why, "%s cannot be read: %s", text_string(&path), strerror(errno));
		return named ? BROKEN : ABSENT;
	}
	found = ini.data ? from_profile(&ini, path.data, profile, out, why) : ABSENT;
	return found == ABSENT && named ? BROKEN : found;
}
