/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "errors.h"

G_BEGIN_DECLS

/* The syntax of a configuration file: sections of OPTION=VALUE with their line numbers. What the
 * options mean is account-config.c's.
 *
 * A line is blank, a comment (its first character is # or ;), "[SECTION]" or "OPTION=VALUE". White
 * space around each part does not count; the rest of a value is taken as it is, with #, quotes and
 * backslashes. CRLF, a byte order mark and a missing last line end are fine. UTF-8 only. */
typedef struct {
  char *name;
  char *value; /* may be "" */
  guint line;
} ConfigEntry;

typedef struct {
  char *name; /* "" for what stands before the first section */
  guint line;
  GPtrArray *entries; /* ConfigEntry */
} ConfigSection;

typedef struct {
  char *path;
  guint mode;          /* st_mode of the regular file that was read; else 0 */
  GPtrArray *sections; /* ConfigSection; the first is always "" */
} ConfigFile;

void config_file_free (ConfigFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ConfigFile, config_file_free)

/* Reads the file. Every error is IMAPSYNC_ERROR_CONFIG and begins with "PATH:" or "PATH:LINE:". */
ConfigFile *config_file_load (const char *path, GError **error);

/* The same from @length bytes of @text. */
ConfigFile *config_file_parse (const char *path, const char *text, gsize length, GError **error);

/* NULL where there is none. */
const ConfigSection *config_file_section (const ConfigFile *file, const char *name);
const ConfigEntry *config_section_entry (const ConfigSection *section, const char *name);

/* Sets @error to "PATH:LINE: " (without the number for line 0) and the formatted text; FALSE, so
 * that it can be returned. */
gboolean config_file_error (const ConfigFile *file, guint line, GError **error, const char *format,
                            ...) G_GNUC_PRINTF (4, 5);

/* The one of @n @candidates that @name was most likely meant to be: by edit distance without regard
 * to case, where one that begins with the other is near. NULL only for no candidates. */
const char *config_nearest (const char *name, const char *const *candidates, gsize n);

/* @text in straight quotes, cut where it is long. (transfer full) */
char *config_quote (const char *text);

G_END_DECLS
