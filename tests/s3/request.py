#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""request.py ENDPOINT ACCESS_KEY SECRET_KEY METHOD PATH[?QUERY] [HEADER: VALUE]... [@BODYFILE]

One request with Signature Version 4, made without any of our C code: prints the status and the
body, and exits with 0 when the status is 2xx.
"""
import datetime
import hashlib
import hmac
import sys
import urllib.error
import urllib.parse
import urllib.request


def signed(endpoint, access, secret, method, target, body, extra, region="us-east-1"):
    path, _, query = target.partition("?")
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": urllib.parse.urlsplit(endpoint).netloc, "x-amz-date": now,
               "x-amz-content-sha256": digest, **extra}
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    canonical_query = "&".join("%s=%s" % tuple(urllib.parse.quote(x, safe="-_.~") for x in p) for p in pairs)
    names = ";".join(sorted(headers))
    canonical = "\n".join([method, path, canonical_query,
                           *("%s:%s" % (k, headers[k]) for k in sorted(headers)), "", names, digest])
    scope = "%s/%s/s3/aws4_request" % (now[:8], region)
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (
        access, scope, names, hmac.new(key, text.encode(), "sha256").hexdigest())
    url = endpoint + path + ("?" + canonical_query if canonical_query else "")
    return urllib.request.Request(url, body or None, headers, method=method)


def main():
    endpoint, access, secret, method, target, *rest = sys.argv[1:]
    body, extra = b"", {}
    for word in rest:
        if word.startswith("@"):
            with open(word[1:], "rb") as file:
                body = file.read()
        else:
            name, value = word.split(":", 1)
            extra[name.lower()] = value.strip()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(signed(endpoint, access, secret, method, target, body, extra), timeout=30) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    print(status, text.decode(errors="replace"))
    return 0 if 200 <= status < 300 else 1


if __name__ == "__main__":
    sys.exit(main())
