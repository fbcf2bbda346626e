/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "report.h"
#include "workload.h"

static double
micro(uint64_t ns)
{
	return (double)ns / 1e3;
}

static void
quote(GString *s, const char *text)
{
	g_string_append_c(s, '"');
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			g_string_append_c(s, '\\');
		if ((unsigned char)*p < ' ')
			g_string_append_printf(s, "\\u%04x", (unsigned)(unsigned char)*p);
		else
			g_string_append_c(s, *p);
	}
	g_string_append_c(s, '"');
}

/* Locale-proof: JSON knows only the point. */
static void
number(GString *s, const char *key, double v)
{
	char buf[G_ASCII_DTOSTR_BUF_SIZE];

	g_string_append_printf(s, ",\"%s\":%s", key, g_ascii_formatd(buf, sizeof buf, "%.6g", v));
}

static void
whole(GString *s, const char *key, uint64_t v)
{
	g_string_append_printf(s, ",\"%s\":%" G_GUINT64_FORMAT, key, v);
}

static void
latency(GString *s, const char *key, const struct hist *h, bool buckets)
{
	g_string_append_printf(s, ",\"%s\":{\"count\":%" G_GUINT64_FORMAT, key, h->count);
	number(s, "mean", hist_mean(h) / 1e3);
	number(s, "p50", micro(hist_quantile(h, 0.5)));
	number(s, "p90", micro(hist_quantile(h, 0.9)));
	number(s, "p99", micro(hist_quantile(h, 0.99)));
	number(s, "max", micro(h->max));
	if (buckets) {
		const char *separator = "";
		g_string_append(s, ",\"buckets\":[");
		for (unsigned i = 0; i < HIST_BUCKETS; i++)
			if (h->bucket[i]) {
				g_string_append_printf(
					s, "%s[%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT "]",
					separator, hist_low(i), h->bucket[i]);
				separator = ",";
			}
		g_string_append_c(s, ']');
	}
	g_string_append_c(s, '}');
}

static void
print_json(const struct result *r, const struct options *o)
{
	g_autoptr(GString) s = g_string_new("{\"workload\":");
	const struct tally *t = &r->tally;

	quote(s, r->workload);
	whole(s, "connections", (uint64_t)r->connections);
	whole(s, "depth", (uint64_t)r->depth);
	whole(s, "threads", (uint64_t)r->threads);
	number(s, "seconds", r->seconds);
	whole(s, "ops", t->ops);
	number(s, "ops_per_s", r->seconds > 0 ? (double)t->ops / r->seconds : 0);
	whole(s, "calls", t->calls);
	whole(s, "bytes", t->bytes);
	number(s, "mb_per_s", r->seconds > 0 ? (double)t->bytes / 1e6 / r->seconds : 0);
	if (r->flags & W_ENTRIES) {
		whole(s, "entries", t->entries);
		number(s, "entries_per_s", r->seconds > 0 ? (double)t->entries / r->seconds : 0);
	}
	whole(s, "commits", t->commits);
	whole(s, "jukebox", t->jukebox);
	whole(s, "errors", t->errors);
	whole(s, "verified", t->verified);
	latency(s, "latency_us", &r->hist, o->histogram);
	if (r->commit_hist.count)
		latency(s, "commit_latency_us", &r->commit_hist, o->histogram);
	number(s, "client_cpu_s", r->client_cpu);
	if (r->have_server_cpu) {
		number(s, "server_cpu_s", r->server_cpu);
		if (t->ops)
			number(s, "server_cpu_us_per_op", r->server_cpu * 1e6 / (double)t->ops);
		if (t->bytes)
			number(s, "server_cpu_s_per_gb", r->server_cpu * 1e9 / (double)t->bytes);
		if (t->entries)
			number(s, "server_cpu_us_per_entry",
			       r->server_cpu * 1e6 / (double)t->entries);
	}
	if (r->error) {
		g_string_append(s, ",\"first_error\":");
		quote(s, r->error);
	}
	g_string_append(s, "}\n");
	fputs(s->str, stdout);
	fflush(stdout);
}

static void
print_text(const struct result *r, const struct options *o)
{
	const struct tally *t = &r->tally;
	const struct hist *h = &r->hist;
	double per_op = t->ops ? 1e6 / (double)t->ops : 0;

	printf("%s %dx%d: ", r->workload, r->connections, r->depth);
	if (r->flags & W_BYTES)
		printf("%.0f MB/s, ", (double)t->bytes / 1e6 / r->seconds);
	if (r->flags & W_ENTRIES)
		printf("%.0f entries/s, ", (double)t->entries / r->seconds);
	printf("%.0f op/s; p50 %.1f p90 %.1f p99 %.1f max %.0f us", (double)t->ops / r->seconds,
	       micro(hist_quantile(h, 0.5)), micro(hist_quantile(h, 0.9)),
	       micro(hist_quantile(h, 0.99)), micro(h->max));
	if (r->have_server_cpu && (r->flags & W_BYTES) && t->bytes)
		printf("; server %.3f s/GB", r->server_cpu * 1e9 / (double)t->bytes);
	else if (r->have_server_cpu && (r->flags & W_ENTRIES) && t->entries)
		printf("; server %.3f us/entry", r->server_cpu * 1e6 / (double)t->entries);
	else if (r->have_server_cpu)
		printf("; server %.2f us/op", r->server_cpu * per_op);
	printf("; client %.2f us/op", r->client_cpu * per_op);
	if (t->verified)
		printf("; %" G_GUINT64_FORMAT " verified", t->verified);
	if (t->jukebox)
		printf("; %" G_GUINT64_FORMAT " jukebox", t->jukebox);
	if (t->errors)
		printf("; %" G_GUINT64_FORMAT " ERRORS", t->errors);
	printf("\n");
	if (o->histogram)
		for (unsigned i = 0; i < HIST_BUCKETS; i++)
			if (h->bucket[i])
				printf("  %12.1f us %12" G_GUINT64_FORMAT "\n", micro(hist_low(i)),
				       h->bucket[i]);
	fflush(stdout);
}

void
report_print(const struct result *r, const struct options *o)
{
	if (o->json)
		print_json(r, o);
	else
		print_text(r, o);
}
