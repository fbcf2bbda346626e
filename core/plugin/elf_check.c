/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib.h>

#include "plugin/elf_check.h"

#define TABLE_MAX (16u << 20) /* bytes of a symbol or string table that we are willing to read */

/* The header of the library that this code lies in: what a plugin must resemble. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct image {
	const char *path;
	int fd;
	uint64_t size;
	ElfW(Ehdr) head;
	char **error;
};

static bool __attribute__((format(printf, 2, 3)))
refuse(const struct image *im, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	*im->error = g_strdup_printf("%s %s", im->path, text);
	return false;
}

static bool
truncated(const struct image *im, uint64_t end)
{
	return refuse(im,
		      "is truncated: it has %" G_GUINT64_FORMAT
		      " bytes, its headers promise at least %" G_GUINT64_FORMAT,
		      im->size, end);
}

/* [offset, offset + len) lies inside the file. */
static bool
check_bounds(const struct image *im, uint64_t offset, uint64_t len)
{
	if (len > UINT64_MAX - offset)
		return truncated(im, UINT64_MAX);
	return offset + len <= im->size || truncated(im, offset + len);
}

static bool
read_at(const struct image *im, void *to, uint64_t len, uint64_t offset)
{
	char *p = to;

	if (!check_bounds(im, offset, len))
		return false;
	while (len) {
		ssize_t got = pread(im->fd, p, len, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return refuse(im, "cannot be read: %s",
				      got ? g_strerror(errno) : "it has just become shorter");
		p += got;
		len -= (uint64_t)got;
		offset += (uint64_t)got;
	}
	return true;
}

static bool
check_file(struct image *im)
{
	struct stat st;

	im->fd = open(im->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (im->fd < 0 || fstat(im->fd, &st) != 0)
		return refuse(im, "cannot be opened: %s", g_strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(im, "is no regular file");
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return refuse(
			im,
			"is writable by others: its mode is %04o, wanted at most 0755; remedy: "
			"chmod go-w",
			st.st_mode & 07777);
	im->size = (uint64_t)st.st_size;
	return true;
}

static bool
check_header(struct image *im)
{
	const ElfW(Ehdr) *ours = &__ehdr_start;
	ElfW(Ehdr) *head = &im->head;

	if (im->size < SELFMAG)
		return refuse(im, "is no ELF file: it has %" G_GUINT64_FORMAT " bytes", im->size);
	if (!read_at(im, head->e_ident, SELFMAG, 0))
		return false;
	if (memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(
			im,
			"is no ELF file: it begins with %02x %02x %02x %02x, wanted 7f 45 4c 46",
			head->e_ident[0], head->e_ident[1], head->e_ident[2], head->e_ident[3]);
	if (!read_at(im, head, sizeof *head, 0))
		return false;
	if (head->e_ident[EI_CLASS] != ours->e_ident[EI_CLASS] ||
	    head->e_ident[EI_DATA] != ours->e_ident[EI_DATA] || head->e_machine != ours->e_machine)
		return refuse(
			im,
			"is for another machine: ELF class %u, byte order %u, machine %u, wanted "
			"%u, %u, %u",
			head->e_ident[EI_CLASS], head->e_ident[EI_DATA], head->e_machine,
			ours->e_ident[EI_CLASS], ours->e_ident[EI_DATA], ours->e_machine);
	if (head->e_type != ET_DYN)
		return refuse(im, "is no shared object: its ELF type is %u, wanted %u",
			      head->e_type, ET_DYN);
	if (head->e_phentsize != sizeof(ElfW(Phdr)) || head->e_phnum == 0)
		return refuse(im, "has no program headers that we know: %u of %u bytes, wanted %zu",
			      head->e_phnum, head->e_phentsize, sizeof(ElfW(Phdr)));
	if (head->e_shoff && head->e_shentsize != sizeof(ElfW(Shdr)))
		return refuse(im, "has section headers of %u bytes, wanted %zu", head->e_shentsize,
			      sizeof(ElfW(Shdr)));
	return true;
}

static bool
check_segments(const struct image *im)
{
	uint64_t len = (uint64_t)im->head.e_phnum * sizeof(ElfW(Phdr));
	g_autofree ElfW(Phdr) *ph = g_malloc(len);
	bool dynamic = false;

	if (!read_at(im, ph, len, im->head.e_phoff))
		return false;
	for (unsigned i = 0; i < im->head.e_phnum; i++) {
		if (!check_bounds(im, ph[i].p_offset, ph[i].p_filesz))
			return false;
		if (ph[i].p_type == PT_LOAD && ph[i].p_filesz > ph[i].p_memsz)
			return refuse(
				im,
				"is damaged: segment %u has more bytes in the file than in memory",
				i);
		dynamic |= ph[i].p_type == PT_DYNAMIC;
	}
	return dynamic || refuse(im, "is no shared object: it has no dynamic segment");
}

/* Look through one symbol table for the exported datum. */
static bool
find_symbol(const struct image *im, const ElfW(Shdr) * syms, const ElfW(Shdr) * names,
	    struct dfs_elf_symbol *symbol)
{
	g_autofree ElfW(Sym) *sym = NULL;
	g_autofree char *text = NULL;

	if (syms->sh_size > TABLE_MAX || names->sh_size > TABLE_MAX)
		return refuse(im, "is damaged: its symbol table is over 16 MiB");
	sym = g_malloc(syms->sh_size + 1);
	text = g_malloc(names->sh_size + 1);
	if (!read_at(im, sym, syms->sh_size, syms->sh_offset) ||
	    !read_at(im, text, names->sh_size, names->sh_offset))
		return false;
	text[names->sh_size] = '\0';
	for (size_t i = 0; i < syms->sh_size / sizeof *sym; i++) {
		if (sym[i].st_name >= names->sh_size || sym[i].st_shndx == SHN_UNDEF)
			continue;
		if (!g_str_has_suffix(text + sym[i].st_name, DFS_PLUGIN_SYMBOL_SUFFIX))
			continue;
		symbol->name = g_strdup(text + sym[i].st_name);
		symbol->size = sym[i].st_size;
		return true;
	}
	return true;
}

static bool
check_sections(const struct image *im, struct dfs_elf_symbol *symbol)
{
	uint64_t len = (uint64_t)im->head.e_shnum * sizeof(ElfW(Shdr));
	g_autofree ElfW(Shdr) *sh = NULL;

	symbol->stripped = true;
	if (!im->head.e_shoff || !im->head.e_shnum)
		return true;
	sh = g_malloc(len);
	if (!read_at(im, sh, len, im->head.e_shoff))
		return false;
	for (unsigned i = 0; i < im->head.e_shnum; i++)
		if (sh[i].sh_type != SHT_NOBITS && sh[i].sh_type != SHT_NULL &&
		    !check_bounds(im, sh[i].sh_offset, sh[i].sh_size))
			return false;
	for (unsigned i = 0; i < im->head.e_shnum; i++) {
		if (sh[i].sh_type != SHT_DYNSYM || sh[i].sh_link >= im->head.e_shnum)
			continue;
		symbol->stripped = false;
		return find_symbol(im, &sh[i], &sh[sh[i].sh_link], symbol);
	}
	return true;
}

bool
dfs_elf_check(const char *path, struct dfs_elf_symbol *symbol, char **error)
{
	struct image im = {.path = path, .fd = -1, .error = error};
	bool ok;

	memset(symbol, 0, sizeof *symbol);
	ok = check_file(&im) && check_header(&im) && check_segments(&im) &&
	     check_sections(&im, symbol);
	if (im.fd >= 0)
		close(im.fd);
	return ok;
}
