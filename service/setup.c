/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "setup.h"

#include "autoconfig.h"
#include "check.h"
#include "new-config.h"
#include "store-password.h"
#include "terminal.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  const SetupAnswers *answers;
  char *address;
  char *host;
  guint port; /* 0: the type's own */
  gboolean starttls;
  char *user;
  Password *password;
  char *path; /* of the configuration */
  AccountConfig *config;
} Setup;

static void
setup_clear (Setup *setup)
{
  g_free (setup->address);
  g_free (setup->host);
  g_free (setup->user);
  password_unref (setup->password);
  g_free (setup->path);
  account_config_free (setup->config);
}

/* --- questions ------------------------------------------------------------------------------- */

static gboolean
is_terminal (void)
{
  return isatty (STDIN_FILENO) != 0;
}

/* One line; @guess for an empty one. NULL at the end of the input. */
static char *
ask (const char *question, const char *guess)
{
  g_autofree char *line = NULL;
  char *buffer = NULL;
  size_t size = 0;

  if (guess != NULL)
    g_printerr ("%s [%s]: ", question, guess);
  else
    g_printerr ("%s: ", question);
  if (getline (&buffer, &size, stdin) >= 0)
    line = g_utf8_make_valid (g_strstrip (buffer), -1);
  free (buffer);
  if (line == NULL)
    return NULL;
  return *line != '\0' || guess == NULL ? g_steal_pointer (&line) : g_strdup (guess);
}

/* What was given, else what the user says, else the guess. */
static char *
settle (const char *given, const char *question, const char *guess)
{
  if (given != NULL)
    return g_strdup (given);
  return is_terminal () ? ask (question, guess) : g_strdup (guess);
}

static gboolean
confirm (const char *question)
{
  g_autofree char *answer = ask (question, NULL);

  /* Translators: the letter that "yes" begins with. */
  return answer != NULL && *answer != '\0' &&
         g_unichar_tolower (g_utf8_get_char (answer)) == g_utf8_get_char (_ ("y"));
}

/* --- address and server ---------------------------------------------------------------------- */

static gboolean
has_one_line (const char *text)
{
  return g_utf8_validate (text, -1, NULL) && strpbrk (text, "\r\n") == NULL;
}

static gboolean
find_address (Setup *setup, GError **error)
{
  const char *at;

  setup->address = settle (setup->answers->address, _ ("E-mail address"), NULL);
  if (setup->address == NULL)
    return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG,
                          "--setup needs an e-mail address: --address=ADDRESS");
  at = strrchr (setup->address, '@');
  if (at == NULL || at == setup->address || at[1] == '\0' || !has_one_line (setup->address) ||
      strpbrk (at, " /:?#") != NULL)
    return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG, "\"%s\" is no e-mail address",
                          setup->address);
  return TRUE;
}

/* HOST or HOST:PORT; an IPv6 address with a port stands in brackets. */
static void
take_host (Setup *setup, const char *text)
{
  const char *colon = strrchr (text, ':');
  guint64 port;

  if (colon != NULL && (strchr (text, ':') == colon || colon[-1] == ']') &&
      g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, &port, NULL)) {
    setup->host = g_strndup (text, colon - text);
    setup->port = (guint)port;
    setup->starttls = port == 143;
  } else {
    setup->host = g_strdup (text);
  }
}

static gboolean
find_server (Setup *setup, GError **error)
{
  const SetupAnswers *answers = setup->answers;
  g_autoptr (Autoconfig) found = NULL;
  g_autofree char *guess = NULL;
  g_autofree char *host = NULL;

  if (answers->host == NULL)
    found = autoconfig_find (setup->address, answers->autoconfig);
  guess = found != NULL ? g_strdup (found->host)
                        : g_strconcat ("imap.", strrchr (setup->address, '@') + 1, NULL);
  host = settle (answers->host, _ ("IMAP server"), guess);
  if (host == NULL || *host == '\0' || !has_one_line (host))
    return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG,
                          "--setup needs the IMAP server: --host=HOST");
  take_host (setup, host);
  if (found != NULL && g_str_equal (setup->host, found->host) && setup->port == 0) {
    setup->port = found->port;
    setup->starttls = found->starttls;
  }
  setup->user =
      settle (answers->user, _ ("User"),
              found != NULL && found->username != NULL ? found->username : setup->address);
  if (setup->user == NULL || *setup->user == '\0' || !has_one_line (setup->user))
    return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG, "--setup needs a user: --user=NAME");
  return TRUE;
}

/* --- the configuration ----------------------------------------------------------------------- */

static char *
make_text (const Setup *setup)
{
  GString *text = g_string_new ("[local]\ntype=store\n\n[remote]\n");

  g_string_append_printf (text, "type=%s\nhost=%s\n", setup->starttls ? "imap" : "imaps",
                          setup->host);
  if (setup->port != 0 && setup->port != (setup->starttls ? 143 : 993))
    g_string_append_printf (text, "port=%u\n", setup->port);
  g_string_append_printf (text, "username=%s\n", setup->user);
  if (setup->answers->ca_file != NULL) {
    g_autofree char *path = g_canonicalize_filename (setup->answers->ca_file, NULL);

    g_string_append_printf (text, "SSL_CAfile=%s\n", path);
  }
  return g_string_free (text, FALSE);
}

static gboolean
make_config (Setup *setup, GError **error)
{
  const char *domain = strrchr (setup->address, '@') + 1;
  g_autofree char *text = NULL;

  setup->path =
      new_config_path (setup->answers->name != NULL ? setup->answers->name : domain, error);
  if (setup->path == NULL)
    return FALSE;
  text = make_text (setup);
  setup->config = account_config_parse (setup->path, text, strlen (text), error);
  return setup->config != NULL;
}

/* --- the servers ----------------------------------------------------------------------------- */

/* Before a password is asked for, which those servers could not be given to any use. */
static SyncResult
refuse_known (const Setup *setup)
{
  g_autoptr (Inspection) nothing = inspection_new ();
  const char *advice = check_advice (setup->config->server[SIDE_REMOTE], nothing);

  if (*advice == '\0')
    return SYNC_RESULT_OK;
  g_print ("%s\n", advice);
  return SYNC_RESULT_CONNECTION;
}

static SyncResult
look_at (const Setup *setup, Side side)
{
  g_autoptr (ServerSettings) server = server_settings_copy (setup->config->server[side]);
  g_autoptr (Inspection) inspection = NULL;

  if (side == SIDE_REMOTE)
    server->password = password_ref (setup->password);
  inspection = inspect_server (server, setup->answers->trace);
  check_print (server, inspection);
  return check_result (inspection);
}

static gboolean
find_password (Setup *setup, GError **error)
{
  g_autofree char *prompt = g_strdup_printf (_ ("Password of %s: "), setup->user);

  setup->password = terminal_ask_secret (prompt, error);
  return setup->password != NULL;
}

/* --- the end --------------------------------------------------------------------------------- */

static gboolean
write_with_password (Setup *setup, GError **error)
{
  g_autofree char *most = make_text (setup);
  char *text = g_strconcat (most, "password=", password_text (setup->password), "\n", NULL);
  gboolean ok;

  g_unlink (setup->path);
  ok = new_config_write (setup->path, text, error);
  secret_wipe (text);
  return ok;
}

/* The keyring, unless it was said otherwise; the file only where somebody wants that. */
static gboolean
keep_password (Setup *setup, GError **error)
{
  SetupPassword where = setup->answers->password;
  g_autoptr (GError) reason = NULL;

  if (where == SETUP_PASSWORD_NONE)
    return TRUE;
  if (where == SETUP_PASSWORD_FILE)
    return write_with_password (setup, error);
  if (store_password_value (setup->config, SIDE_REMOTE, setup->password, &reason))
    return TRUE;
  if (where == SETUP_PASSWORD_ASK && is_terminal ()) {
    g_printerr ("%s\n", reason->message);
    if (confirm (_ ("Write the password into the configuration instead, where whoever can read "
                    "your files can read it? (y/n)")))
      return write_with_password (setup, error);
  }
  return imapsync_fail (
      error, IMAPSYNC_ERROR_CONFIG,
      "%s; the password is kept nowhere: \"imapsync --store-password=remote\" puts it into "
      "the keyring, --password-in=file into the configuration",
      reason->message);
}

static SyncResult
finish (Setup *setup)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = make_text (setup);

  if (!new_config_write (setup->path, text, &error)) {
    g_warning ("%s", error->message);
    return SYNC_RESULT_CONFIG;
  }
  g_print (_ ("%s is written.\n"), setup->path);
  if (!keep_password (setup, &error)) {
    g_warning ("%s", error->message);
    return SYNC_RESULT_PARTIAL;
  }
  g_print (_ ("The mail will be in %s/mail. Now: imapsync --oneshot\n"),
           setup->config->server[SIDE_LOCAL]->store_folder);
  return SYNC_RESULT_OK;
}

static SyncResult
run (Setup *setup)
{
  g_autoptr (GError) error = NULL;
  SyncResult result;

  if (!find_address (setup, &error) || !find_server (setup, &error) ||
      !make_config (setup, &error)) {
    g_warning ("%s", error->message);
    return SYNC_RESULT_CONFIG;
  }
  result = refuse_known (setup);
  if (result == SYNC_RESULT_OK)
    result = look_at (setup, SIDE_LOCAL);
  if (result != SYNC_RESULT_OK)
    return result;
  if (!find_password (setup, &error)) {
    g_warning ("%s", error->message);
    return SYNC_RESULT_CONFIG;
  }
  result = look_at (setup, SIDE_REMOTE);
  return result == SYNC_RESULT_OK ? finish (setup) : result;
}

SyncResult
setup_run (const SetupAnswers *answers)
{
  Setup setup = {.answers = answers};
  SyncResult result = run (&setup);

  setup_clear (&setup);
  return result;
}
