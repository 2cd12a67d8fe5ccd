/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "import-interimap.h"

#include "config-file.h"
#include "new-config.h"

#include <glib/gstdio.h>
#include <string.h>

#define THEIR_NAME "interimap"

/* --- the configuration ----------------------------------------------------------------------- */

static const char *const dropped[] = {"logfile", "log-prefix", "null-stderr", "SSL_ciphersuites",
                                      NULL};
/* What InterIMAP ignores where it makes no sense, and what is an error here. */
static const char *const of_network[] = {"host", "port", "proxy", NULL};

static const char *
value_of (const ConfigFile *file, const ConfigSection *section, const char *name)
{
  const ConfigEntry *entry = config_section_entry (section, name);

  if (entry == NULL)
    entry = config_section_entry (config_file_section (file, ""), name);
  return entry != NULL ? entry->value : NULL;
}

static gboolean
makes_sense (const char *type, const char *name)
{
  gboolean tunnel = g_strcmp0 (type, "tunnel") == 0;

  if (g_str_equal (name, "command"))
    return tunnel;
  if (g_str_equal (name, "STARTTLS"))
    return g_strcmp0 (type, "imap") == 0;
  return !tunnel || !(g_str_has_prefix (name, "SSL_") || g_strv_contains (of_network, name));
}

/* There the pin is of the public key. */
static char *
convert_fingerprint (const char *value)
{
  g_auto (GStrv) words = g_strsplit_set (value, " \t", -1);
  GString *pins = g_string_new (NULL);

  for (char **word = words; *word != NULL; word++) {
    if (**word != '\0')
      g_string_append_printf (pins, "%sspki-%s%s", pins->len > 0 ? " " : "",
                              strchr (*word, '$') != NULL ? "" : "sha256$", *word);
  }
  return g_string_free (pins, FALSE);
}

static void
append_comment (GString *text, const ConfigEntry *entry, const char *why)
{
  g_string_append_printf (text, "# %s=%s: %s\n", entry->name, entry->value, why);
}

static void
append_version (GString *text, const ConfigEntry *entry)
{
  if (g_str_has_suffix (entry->value, "v1.2") || g_str_has_suffix (entry->value, "v1.3"))
    g_string_append_printf (text, "%s=%s\n", entry->name, entry->value);
  else
    append_comment (text, entry, "TLS 1.2 is the oldest here");
}

/* "TLSv1.2 TLSv1.3" enables those alone, "!SSLv3" takes one away. */
static void
append_protocols (GString *text, const ConfigEntry *entry)
{
  gboolean has_1_2 = strstr (entry->value, "TLSv1.2") != NULL;
  gboolean has_1_3 = strstr (entry->value, "TLSv1.3") != NULL;

  append_comment (text, entry, "SSL_protocol_min and SSL_protocol_max say it here");
  if (strchr (entry->value, '!') != NULL || has_1_2 == has_1_3)
    return;
  g_string_append_printf (text, "%s=%s\n", has_1_2 ? "SSL_protocol_max" : "SSL_protocol_min",
                          has_1_2 ? "TLSv1.2" : "TLSv1.3");
}

static void
append_entry (GString *text, const ConfigEntry *entry, const char *type)
{
  g_autofree char *pins = NULL;

  if (g_strv_contains (dropped, entry->name)) {
    append_comment (text, entry, "has no counterpart here");
  } else if (type != NULL && !makes_sense (type, entry->name)) {
    append_comment (text, entry, "means nothing for this type");
  } else if (*entry->value == '\0' && !g_str_equal (entry->name, "list-select-opts")) {
    append_comment (text, entry, "empty");
  } else if (g_str_equal (entry->name, "SSL_fingerprint")) {
    pins = convert_fingerprint (entry->value);
    g_string_append_printf (text, "SSL_fingerprint=%s\n", pins);
  } else if (g_str_equal (entry->name, "SSL_cipherlist")) {
    g_string_append_printf (text, "SSL_cipher_list=%s\n", entry->value);
  } else if (g_str_equal (entry->name, "SSL_protocols")) {
    append_protocols (text, entry);
  } else if (g_str_has_prefix (entry->name, "SSL_protocol_")) {
    append_version (text, entry);
  } else {
    g_string_append_printf (text, "%s=%s\n", entry->name, entry->value);
  }
}

/* That of all that is written, and more. */
static gsize
largest_size (const ConfigFile *file)
{
  gsize size = 4096 + strlen (file->path);

  for (guint i = 0; i < file->sections->len; i++) {
    const ConfigSection *section = g_ptr_array_index (file->sections, i);

    size += strlen (section->name) + 100;
    for (guint j = 0; j < section->entries->len; j++) {
      const ConfigEntry *entry = g_ptr_array_index (section->entries, j);
      size += strlen (entry->name) + 10 * strlen (entry->value) + 200;
    }
  }
  return size;
}

static void
append_account (GString *text, const ConfigFile *file, char **database)
{
  const ConfigSection *section = config_file_section (file, "");
  gboolean selects = FALSE;

  for (guint i = 0; i < section->entries->len; i++) {
    const ConfigEntry *entry = g_ptr_array_index (section->entries, i);

    if (g_str_equal (entry->name, "database")) {
      g_autofree char *name = g_path_get_basename (entry->value);

      *database = g_strdup (entry->value);
      g_string_append_printf (text, "database=%s\n", name);
      continue;
    }
    selects = selects || g_str_equal (entry->name, "list-select-opts");
    append_entry (text, entry, NULL);
  }
  /* InterIMAP takes all mailboxes unless it is told otherwise. */
  if (!selects)
    g_string_append (text, "list-select-opts=\n");
}

char *
import_interimap_convert (const char *path, char **database, GError **error)
{
  g_autoptr (ConfigFile) file = config_file_load (path, error);
  GString *text;

  *database = NULL;
  if (file == NULL)
    return NULL;
  text = g_string_sized_new (largest_size (file));
  g_string_append_printf (text, "# From InterIMAP's %s\n", path);
  append_account (text, file, database);
  for (guint i = 1; i < file->sections->len; i++) {
    const ConfigSection *section = g_ptr_array_index (file->sections, i);
    const char *type = value_of (file, section, "type");

    g_string_append_printf (text, "\n[%s]\n", section->name);
    for (guint j = 0; j < section->entries->len; j++)
      append_entry (text, g_ptr_array_index (section->entries, j), type != NULL ? type : "imaps");
  }
  return g_string_free (text, FALSE);
}

/* --- what is asked for ----------------------------------------------------------------------- */

static char *
default_name (const char *path)
{
  g_autofree char *name = g_path_get_basename (path);
  char *dot = strrchr (name, '.');

  if (dot != NULL && dot != name)
    *dot = '\0';
  return g_str_equal (name, "config") ? g_strdup (THEIR_NAME) : g_steal_pointer (&name);
}

/* Where InterIMAP has it; its default is named after the host, as ours. */
static char *
their_database (const AccountConfig *config, const char *given)
{
  g_autofree char *folder = g_build_filename (g_get_user_data_dir (), THEIR_NAME, NULL);
  g_autofree char *name = NULL;

  if (given != NULL)
    return g_canonicalize_filename (given, folder);
  name = g_path_get_basename (config->database);
  return g_build_filename (folder, name, NULL);
}

static gboolean
import_account (const char *path, const char *target, const char *text, const char *given,
                GError **error)
{
  g_autoptr (AccountConfig) config = account_config_parse (target, text, strlen (text), error);
  g_autofree char *database = NULL;
  ImportFigures figures;

  if (config == NULL)
    return FALSE;
  database = their_database (config, given);
  if (!import_interimap (config, database, &figures, error))
    return FALSE;
  if (!new_config_write (target, text, error)) {
    g_unlink (config->database);
    return FALSE;
  }
  g_message ("%s: from %s", target, path);
  g_message ("%s: from %s, mailboxes: %u, messages: %" G_GUINT64_FORMAT, config->database, database,
             figures.mailboxes, figures.pairs);
  return TRUE;
}

SyncResult
import_interimap_run (const char *given_path, const char *given_name)
{
  g_autofree char *folder = g_build_filename (g_get_user_config_dir (), THEIR_NAME, NULL);
  g_autofree char *path =
      g_canonicalize_filename (given_path != NULL ? given_path : "config", folder);
  g_autofree char *name = given_name != NULL ? g_strdup (given_name) : default_name (path);
  g_autofree char *database = NULL;
  g_autofree char *target = NULL;
  g_autoptr (GError) error = NULL;
  gboolean ok;
  char *text;

  text = import_interimap_convert (path, &database, &error);
  target = text != NULL ? new_config_path (name, &error) : NULL;
  ok = target != NULL && import_account (path, target, text, database, &error);
  secret_wipe (text);
  if (ok)
    return SYNC_RESULT_OK;
  g_warning ("%s", error->message);
  return SYNC_RESULT_CONFIG;
}
