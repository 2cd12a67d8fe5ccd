/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "config-file.h"

#include "password.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nobody writes a longer one by hand: what is, is another file. */
#define MAX_FILE (1024 * 1024)

#define BLANKS " \t"

static void
entry_free (gpointer data)
{
  ConfigEntry *entry = data;
  secret_wipe (entry->value); /* may be a password */
  g_free (entry->name);
  g_free (entry);
}

static void
section_free (gpointer data)
{
  ConfigSection *section = data;
  g_ptr_array_unref (section->entries);
  g_free (section->name);
  g_free (section);
}

static ConfigSection *
section_new (const char *name, guint line)
{
  ConfigSection *section = g_new0 (ConfigSection, 1);
  section->name = g_strdup (name);
  section->line = line;
  section->entries = g_ptr_array_new_with_free_func (entry_free);
  return section;
}

void
config_file_free (ConfigFile *file)
{
  if (file == NULL)
    return;
  g_ptr_array_unref (file->sections);
  g_free (file->path);
  g_free (file);
}

const ConfigSection *
config_file_section (const ConfigFile *file, const char *name)
{
  for (guint i = 0; i < file->sections->len; i++) {
    const ConfigSection *section = g_ptr_array_index (file->sections, i);
    if (g_str_equal (section->name, name))
      return section;
  }
  return NULL;
}

const ConfigEntry *
config_section_entry (const ConfigSection *section, const char *name)
{
  for (guint i = 0; i < section->entries->len; i++) {
    const ConfigEntry *entry = g_ptr_array_index (section->entries, i);
    if (g_str_equal (entry->name, name))
      return entry;
  }
  return NULL;
}

gboolean
config_file_error (const ConfigFile *file, guint line, GError **error, const char *format, ...)
{
  g_autofree char *name = g_filename_display_name (file->path);
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  if (line == 0)
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG, "%s: %s", name, text);
  else
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG, "%s:%u: %s", name, line, text);
  return FALSE;
}

char *
config_quote (const char *text)
{
  const glong longest = 60; /* characters */

  if (g_utf8_strlen (text, -1) <= longest)
    return g_strdup_printf ("\"%s\"", text);
  return g_strdup_printf ("\"%.*s…\"", (int)(g_utf8_offset_to_pointer (text, longest) - text),
                          text);
}

/* Optimal string alignment: insertions, deletions, substitutions and swapped neighbours. */
static guint
edit_distance (const char *a, const char *b)
{
  enum { LONGEST = 64 };
  guint rows[3][LONGEST + 1];
  gsize a_length = MIN (strlen (a), LONGEST), b_length = MIN (strlen (b), LONGEST);

  for (gsize j = 0; j <= b_length; j++)
    rows[0][j] = j;
  for (gsize i = 1; i <= a_length; i++) {
    guint *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

    row[0] = i;
    for (gsize j = 1; j <= b_length; j++) {
      gboolean same = g_ascii_tolower (a[i - 1]) == g_ascii_tolower (b[j - 1]);

      row[j] = MIN (MIN (above[j], row[j - 1]) + 1, above[j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && g_ascii_tolower (a[i - 1]) == g_ascii_tolower (b[j - 2]) &&
          g_ascii_tolower (a[i - 2]) == g_ascii_tolower (b[j - 1]))
        row[j] = MIN (row[j], two_above[j - 2] + 1);
    }
  }
  return rows[a_length % 3][b_length];
}

const char *
config_nearest (const char *name, const char *const *candidates, gsize n)
{
  const char *nearest = NULL;
  guint smallest = G_MAXUINT;

  for (gsize i = 0; i < n; i++) {
    guint distance = edit_distance (name, candidates[i]);
    gsize common = MIN (strlen (name), strlen (candidates[i]));

    /* An abbreviation or a longer form ("user", "hostname") is nearer than its length says. */
    if (distance > 1 && common > 0 && g_ascii_strncasecmp (name, candidates[i], common) == 0)
      distance = 1;
    if (distance < smallest) {
      smallest = distance;
      nearest = candidates[i];
    }
  }
  return nearest;
}

/* What no configuration can mean; else it would turn up in names, paths, commands and logs. */
static gboolean
check_characters (const ConfigFile *file, guint number, const char *line, gsize length,
                  GError **error)
{
  const char *end;

  if (memchr (line, '\0', length) != NULL)
    return config_file_error (file, number, error, "a NUL byte: this is not a text file");
  if (!g_utf8_validate (line, length, &end))
    return config_file_error (file, number, error,
                              "byte %" G_GSIZE_FORMAT
                              " is not UTF-8: the file has to be saved in that encoding",
                              (gsize)(end - line) + 1);
  for (const char *p = line; p < line + length; p++) {
    if (g_ascii_iscntrl (*p) && *p != '\t')
      return config_file_error (file, number, error,
                                "byte %" G_GSIZE_FORMAT " is the control character 0x%02x",
                                (gsize)(p - line) + 1, (guint)(guchar)*p);
  }
  return TRUE;
}

static gboolean
parse_section (ConfigFile *file, guint number, char *line, GError **error)
{
  g_autofree char *quoted = NULL;
  const ConfigSection *before;
  gsize length = strlen (line);

  if (line[length - 1] != ']')
    return config_file_error (file, number, error,
                              strchr (line, ']') == NULL
                                  ? "\"]\" is missing after the section's name"
                                  : "nothing may stand behind a section's \"]\"");
  line[length - 1] = '\0';
  line = g_strstrip (line + 1);
  quoted = config_quote (line);
  if (*line == '\0')
    return config_file_error (file, number, error, "a section without a name");
  before = config_file_section (file, line);
  if (before != NULL)
    return config_file_error (file, number, error, "section %s stands in line %u already", quoted,
                              before->line);
  g_ptr_array_add (file->sections, section_new (line, number));
  return TRUE;
}

static gboolean
parse_option (ConfigFile *file, guint number, char *line, GError **error)
{
  ConfigSection *section = g_ptr_array_index (file->sections, file->sections->len - 1);
  char *equals = strchr (line, '=');
  g_autofree char *quoted = NULL;
  const ConfigEntry *before;
  ConfigEntry *entry;

  /* The line is not repeated: it may be half a password. */
  if (equals == NULL)
    return config_file_error (file, number, error,
                              "neither OPTION=VALUE, nor [SECTION], nor a comment");
  *equals = '\0';
  g_strchomp (line);
  if (*line == '\0')
    return config_file_error (file, number, error, "there is no option before \"=\"");
  quoted = config_quote (line);
  before = config_section_entry (section, line);
  if (before != NULL)
    return config_file_error (file, number, error,
                              "option %s stands in line %u already, in the same section", quoted,
                              before->line);
  entry = g_new0 (ConfigEntry, 1);
  entry->name = g_strdup (line);
  entry->value = g_strdup (equals + 1 + strspn (equals + 1, BLANKS));
  entry->line = number;
  g_ptr_array_add (section->entries, entry);
  return TRUE;
}

static gboolean
parse_line (ConfigFile *file, guint number, const char *text, gsize length, GError **error)
{
  char *copy, *line;
  gboolean ok = TRUE;

  if (length > 0 && text[length - 1] == '\r')
    length--;
  if (!check_characters (file, number, text, length, error))
    return FALSE;
  copy = g_strndup (text, length);
  line = g_strstrip (copy);
  if (*line != '\0' && *line != '#' && *line != ';')
    ok = *line == '[' ? parse_section (file, number, line, error)
                      : parse_option (file, number, line, error);
  explicit_bzero (copy, length);
  g_free (copy);
  return ok;
}

ConfigFile *
config_file_parse (const char *path, const char *text, gsize length, GError **error)
{
  static const char bom[] = {'\xef', '\xbb', '\xbf'};
  g_autoptr (ConfigFile) file = g_new0 (ConfigFile, 1);
  guint number = 0;

  file->path = g_strdup (path);
  file->sections = g_ptr_array_new_with_free_func (section_free);
  g_ptr_array_add (file->sections, section_new ("", 0));
  if (length >= sizeof bom && memcmp (text, bom, sizeof bom) == 0) {
    text += sizeof bom;
    length -= sizeof bom;
  }
  while (length > 0) {
    const char *end = memchr (text, '\n', length);
    gsize line_length = end != NULL ? (gsize)(end - text) : length;
    gsize taken = line_length + (end != NULL ? 1 : 0);

    if (!parse_line (file, ++number, text, line_length, error))
      return NULL;
    text += taken;
    length -= taken;
  }
  return g_steal_pointer (&file);
}

static gboolean
fail_errno (const char *path, int code, GError **error)
{
  g_autofree char *name = g_filename_display_name (path);
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG, "%s: %s", name, g_strerror (code));
  return FALSE;
}

/* Also from a pipe, as of <(gpg -d ...), hence no size beforehand. @bytes has room for MAX_FILE and
 * one more; what is not used takes no memory. */
static gboolean
read_all (const char *path, char *bytes, gsize *length, guint *mode, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  struct stat status;
  gssize got;

  if (fd < 0 || fstat (fd, &status) != 0) {
    int code = errno;
    if (fd >= 0)
      close (fd);
    return fail_errno (path, code, error);
  }
  do {
    got = read (fd, bytes + *length, MAX_FILE + 1 - *length);
    if (got > 0)
      *length += got;
  } while ((got > 0 && *length <= MAX_FILE) || (got < 0 && errno == EINTR));
  if (got != 0) {
    int code = got < 0 ? errno : EFBIG;
    close (fd);
    return fail_errno (path, code, error);
  }
  close (fd);
  *mode = S_ISREG (status.st_mode) ? status.st_mode : 0;
  return TRUE;
}

ConfigFile *
config_file_load (const char *path, GError **error)
{
  g_autofree char *bytes = g_malloc (MAX_FILE + 1);
  ConfigFile *file = NULL;
  gsize length = 0;
  guint mode;

  if (read_all (path, bytes, &length, &mode, error))
    file = config_file_parse (path, bytes, length, error);
  explicit_bzero (bytes, length);
  if (file != NULL)
    file->mode = mode;
  return file;
}
