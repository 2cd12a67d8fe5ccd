/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "account-config.h"
#include "account-options.h"
#include "account-selection.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".conf"

static const char example[] = "[local]\n"
                              "type=tunnel\n"
                              "command=/usr/lib/dovecot/imap\n"
                              "[remote]\n"
                              "host=imap.example.org\n"
                              "username=me@example.org\n"
                              "password=secret";

#define DEFAULT_POLL 60 /* seconds */

AccountConfig *
account_config_copy (const AccountConfig *config)
{
  AccountConfig *copy = g_new0 (AccountConfig, 1);

  copy->path = g_strdup (config->path);
  copy->id = g_strdup (config->id);
  copy->database = g_strdup (config->database);
  copy->poll = config->poll;
  copy->idle = g_strdupv (config->idle);
  copy->idle_chosen = config->idle_chosen;
  copy->metered = config->metered;
  copy->notify_new_mail = config->notify_new_mail;
  copy->list_mailbox = g_strdupv (config->list_mailbox);
  copy->select = config->select;
  copy->ignore_mailbox =
      config->ignore_mailbox != NULL ? g_regex_ref (config->ignore_mailbox) : NULL;
  for (Side side = 0; side < N_SIDES; side++)
    copy->server[side] = server_settings_copy (config->server[side]);
  return copy;
}

void
account_config_free (AccountConfig *config)
{
  if (config == NULL)
    return;
  for (guint side = 0; side < N_SIDES; side++)
    server_settings_free (config->server[side]);
  g_strfreev (config->idle);
  g_strfreev (config->list_mailbox);
  g_clear_pointer (&config->ignore_mailbox, g_regex_unref);
  g_free (config->path);
  g_free (config->id);
  g_free (config->database);
  g_free (config);
}

static char *
id_of_path (const char *path)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *id = NULL;

  if (g_str_has_suffix (name, SUFFIX))
    name[strlen (name) - strlen (SUFFIX)] = '\0';
  id = g_utf8_make_valid (name, -1);
  return *id != '\0' ? g_steal_pointer (&id) : g_strdup ("imapsync");
}

static ServerSettings *
load_server (const ConfigFile *file, Side side, GError **error)
{
  g_autoptr (ServerSettings) server = server_settings_new (side);
  const ConfigSection *section = config_file_section (file, side_name (side));

  if (section == NULL) {
    config_file_error (file, 0, error, "there is no section [%s]", side_name (side));
    return NULL;
  }
  if (!account_options_apply (file, server, error))
    return NULL;
  if (server->type == SERVER_TUNNEL && server->command == NULL) {
    config_file_error (file, section->line, error, "[%s] is a tunnel and needs a command",
                       section->name);
    return NULL;
  }
  if (server_type_is_network (server->type) && server->port == 0)
    server->port = server->type == SERVER_IMAPS ? 993 : 143;
  return g_steal_pointer (&server);
}

static gboolean
is_standard_port (guint16 port)
{
  return port == 143 || port == 993;
}

/* Two branches of one server. */
static gboolean
are_apart (const ServerSettings *local, const ServerSettings *remote)
{
  const char *a = local->list_reference, *b = remote->list_reference;

  return a != NULL && b != NULL && !g_str_has_prefix (a, b) && !g_str_has_prefix (b, a);
}

/* A mailbox synchronized with itself would grow without end. */
static gboolean
check_servers (const ConfigFile *file, const AccountConfig *config, GError **error)
{
  const ServerSettings *local = config->server[SIDE_LOCAL], *remote = config->server[SIDE_REMOTE];

  if (local->type == SERVER_STORE ||
      (local->type == SERVER_TUNNEL) != (remote->type == SERVER_TUNNEL) ||
      g_strcmp0 (local->command, remote->command) != 0 ||
      g_strcmp0 (local->username, remote->username) != 0 || are_apart (local, remote))
    return TRUE;
  if (local->port != remote->port &&
      !(is_standard_port (local->port) && is_standard_port (remote->port)))
    return TRUE;
  if (local->host != NULL && g_ascii_strcasecmp (local->host, remote->host) != 0)
    return TRUE;
  return config_file_error (file, config_file_section (file, "remote")->line, error,
                            "[remote] is the same server and user as [local]");
}

/* Where a local store of this account lies: named after it as the database is after the host. */
static gboolean
place_store (const ConfigFile *file, const AccountConfig *config, GError **error)
{
  ServerSettings *server = config->server[SIDE_LOCAL];

  if (server->type != SERVER_STORE)
    return TRUE;
  if (g_str_equal (config->id, ".") || g_str_equal (config->id, ".."))
    return config_file_error (file, 0, error,
                              "a local store is named after this file: it needs another name");
  server->store_folder = g_build_filename (g_get_user_data_dir (), "imapsync", config->id, NULL);
  return TRUE;
}

static char *
find_database (const ConfigFile *file, const AccountConfig *config, GError **error)
{
  const ConfigEntry *entry = config_section_entry (config_file_section (file, ""), "database");
  g_autofree char *folder = g_build_filename (g_get_user_data_dir (), "imapsync", NULL);
  const char *host = config->server[SIDE_REMOTE]->host;
  g_autofree char *name = NULL;
  g_autofree char *path = NULL;

  if (host == NULL)
    host = config->server[SIDE_LOCAL]->host;
  if (entry == NULL && host == NULL) {
    config_file_error (file, 0, error,
                       "neither server has a host, so the database cannot be named after one: "
                       "\"database=NAME.db\" is needed before the first section");
    return NULL;
  }
  name = entry != NULL ? g_strdup (entry->value) : g_strconcat (host, ".db", NULL);
  path = account_options_path (name, folder);
  if (entry != NULL && (g_str_has_suffix (name, "/") || g_file_test (path, G_FILE_TEST_IS_DIR))) {
    config_file_error (file, entry->line, error, "database has to be a file, and %s is a folder",
                       path);
    return NULL;
  }
  return g_steal_pointer (&path);
}

static gboolean
parse_session (const ConfigFile *file, AccountConfig *config, GError **error)
{
  static const char *const metered[] = {
      [ACCOUNT_METERED_FULL] = "full",
      [ACCOUNT_METERED_LIGHT] = "light",
      [ACCOUNT_METERED_PAUSE] = "pause",
  };
  guint chosen = config->metered;

  if (!account_options_name (file, "metered", metered, G_N_ELEMENTS (metered), &chosen, error) ||
      !account_options_boolean (file, "notify-new-mail", &config->notify_new_mail, error))
    return FALSE;
  config->metered = chosen;
  return TRUE;
}

static AccountConfig *
account_config_from_file (const ConfigFile *file, GError **error)
{
  g_autoptr (AccountConfig) config = g_new0 (AccountConfig, 1);

  if (!account_options_check (file, error))
    return NULL;
  config->poll = DEFAULT_POLL;
  if (!account_options_number (file, "poll", 1, 24 * 60 * 60, &config->poll, error) ||
      !parse_session (file, config, error) || !account_selection_parse (file, config, error))
    return NULL;
  for (guint side = 0; side < N_SIDES; side++) {
    config->server[side] = load_server (file, side, error);
    if (config->server[side] == NULL)
      return NULL;
  }
  if (!check_servers (file, config, error))
    return NULL;
  config->path = g_canonicalize_filename (file->path, NULL);
  config->id = id_of_path (file->path);
  if (!place_store (file, config, error))
    return NULL;
  config->database = find_database (file, config, error);
  return config->database != NULL ? g_steal_pointer (&config) : NULL;
}

AccountConfig *
account_config_parse (const char *path, const char *text, gsize length, GError **error)
{
  g_autoptr (ConfigFile) file = config_file_parse (path, text, length, error);
  return file != NULL ? account_config_from_file (file, error) : NULL;
}

static void
warn_of_readers (const ConfigFile *file, const AccountConfig *config)
{
  g_autofree char *name = g_filename_display_name (file->path);

  if ((file->mode & (S_IRGRP | S_IROTH)) == 0)
    return;
  for (guint side = 0; side < N_SIDES; side++) {
    const ServerSettings *server = config->server[side];
    if (server->password != NULL ||
        (server->proxy != NULL && strchr (server->proxy, '@') != NULL)) {
      g_warning ("%s: others can read this file, which holds a password; \"chmod 600\" helps",
                 name);
      return;
    }
  }
}

/* Whoever answers is believed then, and gets the login. */
static void
warn_of_strangers (const ConfigFile *file, const AccountConfig *config)
{
  g_autofree char *name = g_filename_display_name (file->path);

  for (guint side = 0; side < N_SIDES; side++) {
    const ServerSettings *server = config->server[side];

    if (server_type_is_network (server->type) && !server->verify &&
        (server->type == SERVER_IMAPS || server->starttls) && server->fingerprints->len == 0 &&
        server->key_pins->len == 0 && !server_settings_is_loopback (server))
      g_warning ("%s: with SSL_verify_trusted_peer=NO anybody can be the %s server; "
                 "\"imapsync --check\" shows its SSL_fingerprint, to pin it",
                 name, side_name (side));
  }
}

AccountConfig *
account_config_load (const char *path, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  g_autoptr (ConfigFile) file = config_file_load (absolute, error);
  AccountConfig *config = file != NULL ? account_config_from_file (file, error) : NULL;

  if (config != NULL) {
    warn_of_readers (file, config);
    warn_of_strangers (file, config);
  }
  return config;
}

static gboolean
load_account (const char *path, GPtrArray *accounts, GError **error)
{
  AccountConfig *config = account_config_load (path, error);

  if (config == NULL)
    return FALSE;
  g_ptr_array_add (accounts, config);
  return TRUE;
}

static gboolean
fail_missing (const char *path, const char *what, GError **error)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
               "%s: %s; the shortest configuration is\n%s", name, what, example);
  return FALSE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

static gboolean
load_folder (const char *path, GPtrArray *accounts, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) reason = NULL;
  g_autoptr (GDir) folder = g_dir_open (path, 0, &reason);
  const char *name;

  if (folder == NULL) {
    g_set_error_literal (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG, reason->message);
    return FALSE;
  }
  while ((name = g_dir_read_name (folder)) != NULL) {
    if (*name != '.' && g_str_has_suffix (name, SUFFIX))
      g_ptr_array_add (names, g_build_filename (path, name, NULL));
  }
  if (names->len == 0)
    return fail_missing (path, "this folder has no *.conf", error);
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i < names->len; i++) {
    if (!load_account (g_ptr_array_index (names, i), accounts, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
load_path (const char *path, GPtrArray *accounts, GError **error)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return load_folder (path, accounts, error);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return fail_missing (path, "there is no such file or folder", error);
  return load_account (path, accounts, error);
}

/* Two spellings of one file are one file, also before it exists. */
static char *
resolve (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *real = g_canonicalize_filename (path, NULL);
  char *found = realpath (path, NULL);

  if (found == NULL && (found = realpath (folder, NULL)) != NULL) {
    g_free (real);
    real = g_build_filename (found, name, NULL);
  } else if (found != NULL) {
    g_free (real);
    real = g_strdup (found);
  }
  free (found);
  return g_steal_pointer (&real);
}

/* @path (may be NULL) becomes @config's; FALSE where another account has it already. */
static gboolean
claim (GHashTable *owners, const AccountConfig *config, const char *path, const char *what,
       GError **error)
{
  g_autofree char *real = path != NULL ? resolve (path) : NULL;
  const AccountConfig *owner = real != NULL ? g_hash_table_lookup (owners, real) : NULL;

  if (owner != NULL) {
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "%s and %s have the same %s, %s: each account needs its own", owner->path,
                 config->path, what, path);
    return FALSE;
  }
  if (real != NULL)
    g_hash_table_insert (owners, g_steal_pointer (&real), (gpointer)config);
  return TRUE;
}

static gboolean
check_databases (GPtrArray *accounts, GError **error)
{
  g_autoptr (GHashTable) owners = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < accounts->len; i++) {
    const AccountConfig *config = g_ptr_array_index (accounts, i);

    if (!claim (owners, config, config->database, "database", error) ||
        !claim (owners, config, config->server[SIDE_LOCAL]->store_folder, "local store", error))
      return FALSE;
  }
  return TRUE;
}

/* a/mail.conf and b/mail.conf: the second one becomes "mail-2". */
static void
distinguish_ids (GPtrArray *accounts)
{
  g_autoptr (GHashTable) taken = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < accounts->len; i++) {
    AccountConfig *config = g_ptr_array_index (accounts, i);
    g_autofree char *stem = g_strdup (config->id);

    for (guint n = 2; g_hash_table_contains (taken, config->id); n++) {
      g_free (config->id);
      config->id = g_strdup_printf ("%s-%u", stem, n);
    }
    g_hash_table_add (taken, config->id);
  }
}

GPtrArray *
account_configs_load (const char *const *paths, GError **error)
{
  static const char *const standard[] = {"imapsync", NULL};
  g_autoptr (GPtrArray) accounts =
      g_ptr_array_new_with_free_func ((GDestroyNotify)account_config_free);

  if (paths == NULL || *paths == NULL)
    paths = standard;
  for (; *paths != NULL; paths++) {
    g_autofree char *path = account_options_path (*paths, g_get_user_config_dir ());

    if (!load_path (path, accounts, error))
      return NULL;
  }
  if (!check_databases (accounts, error))
    return NULL;
  distinguish_ids (accounts);
  return g_steal_pointer (&accounts);
}
