/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/local-store.h"

#include "errors.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static const char usual_path[] = "/usr/lib/dovecot:/usr/libexec/dovecot:/usr/lib64/dovecot:"
                                 "/usr/local/lib/dovecot:/usr/local/libexec/dovecot";

/* What a power cut takes from here would look as if somebody had deleted it: hence mail_fsync. The
 * paths are apart from any Dovecot that runs as a service, and messages of no importance go
 * nowhere: this may be the terminal of somebody's mail program. */
static const char configuration[] =
    "# Written by imapsync for each connection: changes here are lost.\n"
    "protocols = imap\n"
    "ssl = no\n"
    "base_dir = %s\n"
    "stats_writer_socket_path =\n"
    "log_path = /dev/stderr\n"
    "info_log_path = /dev/null\n"
    "debug_log_path = /dev/null\n"
    "first_valid_uid = 1\n"
    "mail_fsync = always\n"
    "mail_location = %s\n"
    "namespace inbox {\n"
    "  inbox = yes\n"
    "  separator = /\n"
    "}\n";

char *
local_store_program (GError **error)
{
  const char *path = g_getenv (LOCAL_STORE_PATH_VARIABLE);
  g_auto (GStrv) folders = g_strsplit (path != NULL ? path : usual_path, ":", -1);

  for (char **folder = folders; *folder != NULL; folder++) {
    g_autofree char *program = g_build_filename (*folder, "imap", NULL);

    if (g_file_test (program, G_FILE_TEST_IS_EXECUTABLE) &&
        !g_file_test (program, G_FILE_TEST_IS_DIR))
      return g_steal_pointer (&program);
  }
  g_set_error_literal (
      error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
      "type = store needs Dovecot's imap program, which is not installed: it is in "
      "the package dovecot-imapd (Debian, Ubuntu) or dovecot (Fedora, Arch, "
      "openSUSE)");
  return NULL;
}

static gboolean
fail_errno (const char *path, int errnum, GError **error)
{
  g_set_error (error, IMAPSYNC_ERROR,
               errnum == ENOSPC || errnum == EDQUOT ? IMAPSYNC_ERROR_DISK_FULL
                                                    : IMAPSYNC_ERROR_CONFIG,
               "the local store %s cannot be made: %s", path, g_strerror (errnum));
  return FALSE;
}

/* What Dovecot's variables and its own syntax would take for something else. */
static char *
quote_value (const char *value)
{
  GString *quoted = g_string_new ("\"");

  for (const char *p = value; *p != '\0'; p++) {
    if (*p == '"' || *p == '\\')
      g_string_append_c (quoted, '\\');
    g_string_append_c (quoted, *p);
  }
  g_string_append_c (quoted, '"');
  return g_string_free (quoted, FALSE);
}

static char *
mail_location (const ServerSettings *server)
{
  g_autofree char *mail = g_build_filename (server->store_folder, "mail", NULL);
  g_autoptr (GString) escaped = g_string_new (mail);

  g_string_replace (escaped, "%", "%%", 0);
  if (server->store_format == STORE_FORMAT_SDBOX)
    return g_strconcat ("sdbox:", escaped->str, NULL);
  /* A folder for each mailbox, levels as folders in folders: what mutt and notmuch know too. */
  return g_strdup_printf ("maildir:%s:LAYOUT=fs:INBOX=%s/INBOX", escaped->str, escaped->str);
}

static char *
make_configuration (const ServerSettings *server)
{
  g_autofree char *run = g_build_filename (server->store_folder, "run", NULL);
  g_autofree char *location = mail_location (server);
  g_autofree char *run_value = quote_value (run);
  g_autofree char *location_value = quote_value (location);

  return g_strdup_printf (configuration, run_value, location_value);
}

/* One format would not see what the other one has written, and take it for deleted. */
static gboolean
check_format (const ServerSettings *server, GError **error)
{
  static const char *const marks[] = {
      [STORE_FORMAT_MAILDIR] = "mail/INBOX/cur",
      [STORE_FORMAT_SDBOX] = "mail/mailboxes",
  };
  static const char *const names[] = {
      [STORE_FORMAT_MAILDIR] = "maildir",
      [STORE_FORMAT_SDBOX] = "sdbox",
  };

  for (guint i = 0; i < G_N_ELEMENTS (marks); i++) {
    g_autofree char *mark = g_build_filename (server->store_folder, marks[i], NULL);

    if (i == server->store_format || !g_file_test (mark, G_FILE_TEST_IS_DIR))
      continue;
    g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                 "the local store %s keeps its mail as %s: store-format cannot be changed to %s",
                 server->store_folder, names[i], names[server->store_format]);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_folder_name (const ServerSettings *server, GError **error)
{
  const char *folder = server->store_folder;

  if (strpbrk (folder, ":\n") == NULL && g_utf8_validate (folder, -1, NULL))
    return TRUE;
  g_set_error (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
               "the local store cannot be in %s: Dovecot allows no colon in that name", folder);
  return FALSE;
}

static gboolean
write_configuration (const ServerSettings *server, const char *path, GError **error)
{
  g_autofree char *text = make_configuration (server);
  g_autofree char *present = NULL;
  g_autoptr (GError) reason = NULL;

  if (g_file_get_contents (path, &present, NULL, NULL) && g_str_equal (present, text))
    return TRUE;
  if (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &reason))
    return TRUE;
  g_set_error (error, IMAPSYNC_ERROR,
               g_error_matches (reason, G_FILE_ERROR, G_FILE_ERROR_NOSPC) ? IMAPSYNC_ERROR_DISK_FULL
                                                                          : IMAPSYNC_ERROR_CONFIG,
               "the local store %s cannot be made: %s", server->store_folder, reason->message);
  return FALSE;
}

gboolean
local_store_check (const ServerSettings *server, gboolean *exists, GError **error)
{
  g_autofree char *program = NULL;
  g_autofree char *path = g_build_filename (server->store_folder, "dovecot.conf", NULL);

  *exists = g_file_test (path, G_FILE_TEST_EXISTS);
  if (geteuid () == 0) {
    g_set_error_literal (error, IMAPSYNC_ERROR, IMAPSYNC_ERROR_CONFIG,
                         "type = store does not work as root, as Dovecot opens no mail of root's: "
                         "run imapsync as the user whose mail it is");
    return FALSE;
  }
  program = local_store_program (error);
  return program != NULL && check_folder_name (server, error) && check_format (server, error);
}

char *
local_store_prepare (const ServerSettings *server, GError **error)
{
  g_autofree char *program = NULL;
  g_autofree char *mail = g_build_filename (server->store_folder, "mail", NULL);
  g_autofree char *path = g_build_filename (server->store_folder, "dovecot.conf", NULL);
  g_autofree char *user = NULL;
  g_autofree char *home = NULL;
  g_autofree char *quoted_program = NULL;
  g_autofree char *quoted_path = NULL;
  gboolean exists;

  if (!local_store_check (server, &exists, error))
    return NULL;
  program = local_store_program (error);
  if (program == NULL)
    return NULL;
  if (g_mkdir_with_parents (mail, 0700) != 0) {
    fail_errno (server->store_folder, errno, error);
    return NULL;
  }
  if (!write_configuration (server, path, error))
    return NULL;
  /* It insists on USER, which not every session has. */
  user = g_shell_quote (g_get_user_name ());
  home = g_shell_quote (g_get_home_dir ());
  quoted_program = g_shell_quote (program);
  quoted_path = g_shell_quote (path);
  return g_strdup_printf ("exec env USER=%s HOME=%s %s -c %s", user, home, quoted_program,
                          quoted_path);
}
