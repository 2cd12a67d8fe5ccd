/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "options.h"

#include "config-file.h"

#include <glib/gi18n.h>
#include <string.h>

typedef enum {
  OPTION_CONFIG,
  OPTION_ONESHOT,
  OPTION_REPAIR,
  OPTION_CHECK,
  OPTION_DRY_RUN,
  OPTION_SETUP,
  OPTION_ADDRESS,
  OPTION_HOST,
  OPTION_USER,
  OPTION_AUTOCONFIG,
  OPTION_CA_FILE,
  OPTION_PASSWORD_IN,
  OPTION_IMPORT_INTERIMAP,
  OPTION_NAME,
  OPTION_RESOLVE,
  OPTION_STORE_PASSWORD,
  OPTION_QUIET,
  OPTION_DEBUG,
  OPTION_HELP,
  OPTION_VERSION,
} OptionId;

typedef struct {
  const char *name;
  char letter;       /* 0: none */
  const char *value; /* the name of its value; NULL: it has none */
  const char *help;
  gboolean may_lack_value; /* only --NAME=VALUE has one */
} Option;

static const Option options_table[] = {
    [OPTION_CONFIG] = {"config", 0, N_ ("FILE"),
                       N_ ("another configuration, a file or a folder of *.conf;\n"
                           "relative to $XDG_CONFIG_HOME, else ~/.config;\n"
                           "may be repeated: several accounts")},
    [OPTION_ONESHOT] = {"oneshot", '1', NULL,
                        N_ ("exit as soon as all mailboxes are synchronized")},
    [OPTION_REPAIR] = {"repair", 0, NULL,
                       N_ ("compare both servers with the database completely,\n"
                           "list what is wrong and repair it; then exit")},
    [OPTION_CHECK] = {"check", 0, NULL,
                      N_ ("say who both servers are, whether they can be synchronized and\n"
                          "what they hold, and change nothing; then exit")},
    [OPTION_DRY_RUN] = {"dry-run", 0, NULL,
                        N_ ("say what would be synchronized, and change nothing, neither\n"
                            "on the servers nor in the database; then exit")},
    [OPTION_SETUP] = {"setup", 0, NULL,
                      N_ ("ask for an account at a provider, look at its server, and\n"
                          "write a configuration that keeps its mail here; then exit.\n"
                          "The next six answer beforehand; where there is no terminal,\n"
                          "the password is the first line of standard input")},
    [OPTION_ADDRESS] = {"address", 0, N_ ("ADDRESS"), N_ ("the e-mail address")},
    [OPTION_HOST] = {"host", 0, N_ ("HOST[:PORT]"), N_ ("the IMAP server")},
    [OPTION_USER] = {"user", 0, N_ ("NAME"), N_ ("the user on that server")},
    [OPTION_AUTOCONFIG] = {"autoconfig", 0, N_ ("URL"),
                           N_ ("where the provider says what its server is")},
    [OPTION_CA_FILE] = {"ca-file", 0, N_ ("FILE"),
                        N_ ("certificates of authorities, if no public one has signed\n"
                            "the server's")},
    [OPTION_PASSWORD_IN] = {"password-in", 0, N_ ("PLACE"),
                            N_ ("where the password goes: keyring, file or none")},
    [OPTION_IMPORT_INTERIMAP] = {"import-interimap", 0, N_ ("FILE"),
                                 N_ ("make a configuration and a database from those of\n"
                                     "InterIMAP, by default ~/.config/interimap/config; then exit"),
                                 TRUE},
    [OPTION_NAME] = {"name", 0, N_ ("NAME"),
                     N_ ("what an account that is made shall be called:\n"
                         "~/.config/imapsync/NAME.conf")},
    [OPTION_RESOLVE] = {"resolve", 0, N_ ("ID:CHOICE"),
                        N_ ("decide about a conflict that was told with its number,\n"
                            "for example 12:apply, 12:restore, 12:retry, 12:dismiss;\n"
                            "synchronize, then exit; may be repeated")},
    [OPTION_STORE_PASSWORD] = {"store-password", 0, N_ ("SIDE"),
                               N_ ("ask for the password of local or of remote, put it into\n"
                                   "the keyring, then exit; where there is no terminal, it is\n"
                                   "the first line of standard input")},
    [OPTION_QUIET] = {"quiet", 'q', NULL, N_ ("only warnings and errors")},
    [OPTION_DEBUG] = {"debug", 0, NULL,
                      N_ ("show the traffic with the servers, but neither the\n"
                          "contents of messages nor passwords")},
    [OPTION_HELP] = {"help", 'h', NULL, N_ ("show this help")},
    [OPTION_VERSION] = {"version", 0, NULL, N_ ("show the version")},
};

void
options_free (Options *options)
{
  if (options == NULL)
    return;
  g_ptr_array_unref (options->configs);
  g_free (options->interimap);
  g_free (options->address);
  g_free (options->host);
  g_free (options->user);
  g_free (options->autoconfig);
  g_free (options->ca_file);
  g_free (options->name);
  g_strfreev (options->request.mailboxes);
  g_strfreev (options->request.resolutions);
  g_free (options);
}

/* The first @length bytes of @argument, in whatever encoding, in quotes. (transfer full) */
static char *
quote (const char *argument, gsize length)
{
  g_autofree char *shown = g_strndup (argument, length);
  g_autofree char *name = g_utf8_make_valid (shown, -1);
  return config_quote (name);
}

static gboolean
fail_unknown (const char *argument, GError **error)
{
  const char *names[G_N_ELEMENTS (options_table)];
  gsize dashes = strspn (argument, "-"), length = strcspn (argument, "=");
  g_autofree char *quoted = quote (argument, length);
  g_autofree char *name = g_strndup (argument + dashes, length - MIN (dashes, length));

  for (guint i = 0; i < G_N_ELEMENTS (options_table); i++)
    names[i] = options_table[i].name;
  return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG,
                        _ ("unknown option %s; did you mean \"--%s\"?"), quoted,
                        config_nearest (name, names, G_N_ELEMENTS (names)));
}

static void
add_resolution (Options *options, const char *value)
{
  guint n = options->request.resolutions != NULL ? g_strv_length (options->request.resolutions) : 0;

  options->request.resolutions = g_renew (char *, options->request.resolutions, n + 2);
  options->request.resolutions[n] = g_strdup (value);
  options->request.resolutions[n + 1] = NULL;
  if (options->request.mode == SYNC_STAY)
    options->request.mode = SYNC_ONESHOT;
}

/* ID:CHOICE; what choices there are depends on the conflict. */
static gboolean
is_resolution (const char *value)
{
  gsize digits = strspn (value, "0123456789");

  return digits > 0 && digits < 19 && value[digits] == ':' && value[digits + 1] != '\0' &&
         strspn (value + digits + 1, "abcdefghijklmnopqrstuvwxyz") == strlen (value + digits + 1);
}

static gboolean
is_side (const char *value)
{
  return g_str_equal (value, side_name (SIDE_LOCAL)) ||
         g_str_equal (value, side_name (SIDE_REMOTE));
}

/* SETUP_PASSWORD_ASK: none that is known. */
static SetupPassword
find_place (const char *value)
{
  static const char *const places[] = {
      [SETUP_PASSWORD_ASK] = "",
      [SETUP_PASSWORD_KEYRING] = "keyring",
      [SETUP_PASSWORD_FILE] = "file",
      [SETUP_PASSWORD_NONE] = "none",
  };

  for (guint i = SETUP_PASSWORD_KEYRING; i < G_N_ELEMENTS (places); i++) {
    if (g_str_equal (value, places[i]))
      return i;
  }
  return SETUP_PASSWORD_ASK;
}

/* What is more than any text. */
static gboolean
check_value (OptionId id, const char *value, GError **error)
{
  g_autofree char *quoted = value != NULL ? quote (value, strlen (value)) : NULL;

  if (id == OPTION_RESOLVE && !is_resolution (value))
    return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG,
                          _ ("option --resolve wants ID:CHOICE, like 12:apply, not %s"), quoted);
  if (id == OPTION_PASSWORD_IN && find_place (value) == SETUP_PASSWORD_ASK)
    return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG,
                          _ ("option --password-in wants keyring, file or none, not %s"), quoted);
  if (id == OPTION_STORE_PASSWORD && !is_side (value))
    return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG,
                          _ ("option --store-password wants local or remote, not %s"), quoted);
  return TRUE;
}

static void
set_text (char **place, const char *value)
{
  g_free (*place);
  *place = g_strdup (value);
}

static void
apply (Options *options, OptionId id, const char *value)
{
  switch (id) {
  case OPTION_CONFIG:
    g_ptr_array_add (options->configs, g_strdup (value));
    break;
  case OPTION_ONESHOT:
    if (options->request.mode == SYNC_STAY)
      options->request.mode = SYNC_ONESHOT;
    break;
  case OPTION_REPAIR:
    options->request.mode = SYNC_REPAIR; /* ends by itself too */
    break;
  case OPTION_CHECK:
    options->check = TRUE;
    break;
  case OPTION_DRY_RUN:
    options->request.dry_run = TRUE;
    if (options->request.mode == SYNC_STAY)
      options->request.mode = SYNC_ONESHOT;
    break;
  case OPTION_SETUP:
    options->setup = TRUE;
    break;
  case OPTION_ADDRESS:
    set_text (&options->address, value);
    break;
  case OPTION_HOST:
    set_text (&options->host, value);
    break;
  case OPTION_USER:
    set_text (&options->user, value);
    break;
  case OPTION_AUTOCONFIG:
    set_text (&options->autoconfig, value);
    break;
  case OPTION_CA_FILE:
    set_text (&options->ca_file, value);
    break;
  case OPTION_PASSWORD_IN:
    options->password_in = find_place (value);
    break;
  case OPTION_IMPORT_INTERIMAP:
    options->import_interimap = TRUE;
    set_text (&options->interimap, value);
    break;
  case OPTION_NAME:
    set_text (&options->name, value);
    break;
  case OPTION_RESOLVE:
    add_resolution (options, value);
    break;
  case OPTION_STORE_PASSWORD:
    options->stores_password = TRUE;
    options->side = g_str_equal (value, side_name (SIDE_LOCAL)) ? SIDE_LOCAL : SIDE_REMOTE;
    break;
  case OPTION_QUIET:
    options->level = LOG_LEVEL_QUIET;
    break;
  case OPTION_DEBUG:
    options->level = LOG_LEVEL_DEBUG;
    options->request.trace = TRUE;
    break;
  case OPTION_HELP:
    options->help = TRUE;
    break;
  case OPTION_VERSION:
    options->version = TRUE;
    break;
  }
}

/* --NAME, --NAME=VALUE or --NAME VALUE. @next: the argument behind it; *@used: it was the value. */
static gboolean
parse_long (Options *options, const char *argument, const char *next, gboolean *used,
            GError **error)
{
  const char *name = argument + 2;
  gsize length = strcspn (name, "=");
  const char *value = name[length] == '=' ? name + length + 1 : NULL;

  for (guint i = 0; i < G_N_ELEMENTS (options_table); i++) {
    const Option *option = &options_table[i];

    if (strlen (option->name) != length || strncmp (option->name, name, length) != 0)
      continue;
    if (option->value == NULL && value != NULL)
      return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG, _ ("option --%s takes no value"),
                            option->name);
    if (option->value != NULL && value == NULL && !option->may_lack_value) {
      value = next;
      *used = TRUE;
    }
    if (option->value != NULL && (value != NULL ? *value == '\0' : !option->may_lack_value))
      return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG, _ ("option --%s needs a value"),
                            option->name);
    if (!check_value (i, value, error))
      return FALSE;
    apply (options, i, value);
    return TRUE;
  }
  return fail_unknown (argument, error);
}

/* -q1: letters have no values. */
static gboolean
parse_letters (Options *options, const char *argument, GError **error)
{
  for (const char *letter = argument + 1; *letter != '\0'; letter++) {
    gboolean known = FALSE;

    for (guint i = 0; i < G_N_ELEMENTS (options_table) && !known; i++) {
      known = options_table[i].letter == *letter;
      if (known)
        apply (options, i, NULL);
    }
    if (!known)
      return fail_unknown (argument, error);
  }
  return TRUE;
}

static gboolean
parse_mailbox (GPtrArray *mailboxes, const char *argument, GError **error)
{
  if (*argument == '\0')
    return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG,
                          _ ("an argument is empty, which is no mailbox's name"));
  if (!g_utf8_validate (argument, -1, NULL)) {
    g_autofree char *quoted = quote (argument, strlen (argument));
    return imapsync_fail (error, IMAPSYNC_ERROR_CONFIG, _ ("mailbox %s is not named in UTF-8"),
                          quoted);
  }
  g_ptr_array_add (mailboxes, g_strdup (argument));
  return TRUE;
}

Options *
options_parse (int argc, const char *const *argv, GError **error)
{
  g_autoptr (Options) options = g_new0 (Options, 1);
  g_autoptr (GPtrArray) mailboxes = g_ptr_array_new_with_free_func (g_free);
  gboolean ended = FALSE;

  options->configs = g_ptr_array_new_with_free_func (g_free);
  options->level = LOG_LEVEL_NORMAL;
  for (int i = 1; i < argc && !options->help && !options->version; i++) {
    const char *argument = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
    gboolean used = FALSE, ok = TRUE;

    if (ended || *argument != '-' || argument[1] == '\0')
      ok = parse_mailbox (mailboxes, argument, error);
    else if (g_str_equal (argument, "--"))
      ended = TRUE;
    else if (argument[1] == '-')
      ok = parse_long (options, argument, next, &used, error);
    else
      ok = parse_letters (options, argument, error);
    if (!ok)
      return NULL;
    i += used ? 1 : 0;
  }
  g_ptr_array_add (options->configs, NULL);
  if (mailboxes->len > 0) {
    g_ptr_array_add (mailboxes, NULL);
    options->request.mailboxes = (char **)g_ptr_array_free (g_steal_pointer (&mailboxes), FALSE);
  }
  return g_steal_pointer (&options);
}

static void
append_option (GString *help, const Option *option)
{
  g_autofree char *value =
      option->value != NULL ? g_strconcat (option->may_lack_value ? "[=" : "=", _ (option->value),
                                           option->may_lack_value ? "]" : NULL, NULL)
                            : g_strdup ("");
  g_autofree char *names = option->letter != 0
                               ? g_strdup_printf ("-%c, --%s", option->letter, option->name)
                               : g_strdup_printf ("    --%s%s", option->name, value);
  g_auto (GStrv) lines = g_strsplit (_ (option->help), "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++) {
    const char *left = i == 0 ? names : "";
    int blanks = 19 - (int)g_utf8_strlen (left, -1); /* printf would count bytes */

    if (blanks < 1) {
      g_string_append_printf (help, "  %s\n", left);
      blanks = 19;
      left = "";
    }
    g_string_append_printf (help, "  %s%*s%s\n", left, blanks, "", lines[i]);
  }
}

char *
options_help (void)
{
  GString *help = g_string_new (NULL);

  g_string_append (help, _ ("Usage: imapsync [OPTION...] [MAILBOX...]\n"));
  g_string_append (help, "\n");
  g_string_append (help, _ ("Keep two IMAP servers identical: synchronize each subscribed mailbox, "
                            "or only\nthose named; then stay connected and follow changes.\n"));
  g_string_append (help, "\n");
  for (guint i = 0; i < G_N_ELEMENTS (options_table); i++)
    append_option (help, &options_table[i]);
  g_string_append (help, "\n");
  g_string_append (
      help, _ ("Exit status: 0 all in sync, 1 some mailbox or message could not be synchronized,\n"
               "2 usage or configuration, 3 no connection or no login, 4 another instance holds\n"
               "the database.\n"));
  return g_string_free (help, FALSE);
}
