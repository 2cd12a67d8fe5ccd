/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "account-selection.h"

#include <string.h>

#define BLANKS   " \t"
#define MAX_IDLE 5

static const struct {
  const char *name;
  AccountSelect select;
} select_words[] = {
    {"SUBSCRIBED", ACCOUNT_SELECT_SUBSCRIBED},
    {"REMOTE", ACCOUNT_SELECT_REMOTE},
    {"RECURSIVEMATCH", ACCOUNT_SELECT_RECURSIVEMATCH},
};

static gboolean
fail_select (const ConfigFile *file, const ConfigEntry *entry, const char *word, GError **error)
{
  const char *names[G_N_ELEMENTS (select_words)];
  g_autofree char *quoted = config_quote (word);

  for (gsize i = 0; i < G_N_ELEMENTS (select_words); i++)
    names[i] = select_words[i].name;
  return config_file_error (file, entry->line, error,
                            "a word of %s has to be SUBSCRIBED, REMOTE or RECURSIVEMATCH, not %s; "
                            "did you mean \"%s\"?",
                            entry->name, quoted,
                            config_nearest (word, names, G_N_ELEMENTS (names)));
}

static gboolean
parse_select (const ConfigFile *file, const ConfigEntry *entry, guint *select, GError **error)
{
  g_auto (GStrv) words = g_strsplit_set (entry->value, BLANKS, -1);

  *select = 0;
  for (char **word = words; *word != NULL; word++) {
    gsize i = 0;

    if (**word == '\0')
      continue;
    while (i < G_N_ELEMENTS (select_words) && g_ascii_strcasecmp (*word, select_words[i].name) != 0)
      i++;
    if (i == G_N_ELEMENTS (select_words))
      return fail_select (file, entry, *word, error);
    *select |= select_words[i].select;
  }
  /* RFC 5258, section 3.1: it says what to do with the others. */
  if (*select & ACCOUNT_SELECT_RECURSIVEMATCH && !(*select & ACCOUNT_SELECT_SUBSCRIBED))
    return config_file_error (file, entry->line, error,
                              "%s: RECURSIVEMATCH means nothing without SUBSCRIBED", entry->name);
  return TRUE;
}

/* The byte that an escape sequence stands for; @p is behind the backslash, and then behind all of
 * it. -1 for none that is known. */
static int
unescape (const char **p)
{
  static const char letters[] = "abfnrtv\\\"'", bytes[] = "\a\b\f\n\r\t\v\\\"'";
  const char *letter = **p != '\0' ? strchr (letters, **p) : NULL;

  if (letter != NULL) {
    (*p)++;
    return bytes[letter - letters];
  }
  if ((*p)[0] == 'x' && g_ascii_isxdigit ((*p)[1]) && g_ascii_isxdigit ((*p)[2])) {
    *p += 3;
    return g_ascii_xdigit_value ((*p)[-2]) << 4 | g_ascii_xdigit_value ((*p)[-1]);
  }
  return -1;
}

/* One pattern, in double quotes or up to the next blank. NULL: what is @fault. */
static char *
take_pattern (const char **p, const char **fault)
{
  g_autoptr (GString) pattern = g_string_new (NULL);
  gboolean quoted = **p == '"';

  for (*p += quoted; **p != '\0' && (quoted ? **p != '"' : strchr (BLANKS, **p) == NULL);) {
    int byte = (guchar) * (*p)++;

    if (quoted && byte == '\\' && (byte = unescape (p)) < 0)
      *fault = "has an escape sequence that is not known, behind a backslash";
    else if (quoted && byte == '\0')
      byte = MAILBOX_NAME_SEPARATOR;
    else if (g_ascii_iscntrl (byte))
      *fault = "has a control character, which is in no mailbox's name";
    if (*fault != NULL)
      return NULL;
    g_string_append_c (pattern, byte);
  }
  if (quoted && *(*p)++ != '"')
    *fault = "has no second double quote";
  else if (**p != '\0' && strchr (BLANKS, **p) == NULL)
    *fault = "has something right behind a double quote";
  else if (pattern->len == 0)
    *fault = "has an empty pattern";
  else if (!g_utf8_validate (pattern->str, pattern->len, NULL))
    *fault = "is not UTF-8 when its escape sequences are replaced";
  return *fault == NULL ? g_string_free (g_steal_pointer (&pattern), FALSE) : NULL;
}

static gboolean
parse_patterns (const ConfigFile *file, const ConfigEntry *entry, char ***patterns, GError **error)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  const char *p = entry->value + strspn (entry->value, BLANKS);

  while (*p != '\0') {
    const char *fault = NULL;
    g_autofree char *pattern = take_pattern (&p, &fault);

    if (pattern == NULL) {
      g_autofree char *quoted = config_quote (entry->value);
      return config_file_error (file, entry->line, error, "%s: %s %s", entry->name, quoted, fault);
    }
    g_strv_builder_add (builder, pattern);
    p += strspn (p, BLANKS);
  }
  *patterns = g_strv_builder_end (builder);
  return TRUE;
}

static gboolean
parse_ignore (const ConfigFile *file, const ConfigEntry *entry, GRegex **regex, GError **error)
{
  g_autoptr (GError) reason = NULL;

  *regex = g_regex_new (entry->value, G_REGEX_OPTIMIZE, 0, &reason);
  return *regex != NULL ||
         config_file_error (file, entry->line, error, "%s: %s", entry->name, reason->message);
}

/* Each costs a connection to each server. */
static gboolean
parse_idle (const ConfigFile *file, const ConfigEntry *entry, char ***names, GError **error)
{
  if (!parse_patterns (file, entry, names, error))
    return FALSE;
  if (g_strv_length (*names) > MAX_IDLE)
    return config_file_error (file, entry->line, error,
                              "%s: no more than %d mailboxes can be watched that way", entry->name,
                              MAX_IDLE);
  for (char **name = *names; *name != NULL; name++) {
    if (strpbrk (*name, "*%") != NULL)
      return config_file_error (file, entry->line, error,
                                "%s: \"%s\" is a pattern, and mailboxes are named here one by one",
                                entry->name, *name);
    if (g_ascii_strcasecmp (*name, "INBOX") == 0) {
      g_free (*name);
      *name = g_strdup ("INBOX");
    }
  }
  return TRUE;
}

gboolean
account_selection_parse (const ConfigFile *file, AccountConfig *config, GError **error)
{
  const ConfigSection *section = config_file_section (file, "");
  const ConfigEntry *patterns = config_section_entry (section, "list-mailbox");
  const ConfigEntry *select = config_section_entry (section, "list-select-opts");
  const ConfigEntry *ignore = config_section_entry (section, "ignore-mailbox");
  const ConfigEntry *idle = config_section_entry (section, "idle");

  config->idle_chosen = idle != NULL;
  if (idle == NULL)
    config->idle = g_strdupv ((char *[]){(char *)"INBOX", NULL});
  else if (!parse_idle (file, idle, &config->idle, error))
    return FALSE;
  config->select = ACCOUNT_SELECT_SUBSCRIBED;
  return (patterns == NULL || parse_patterns (file, patterns, &config->list_mailbox, error)) &&
         (select == NULL || parse_select (file, select, &config->select, error)) &&
         (ignore == NULL || parse_ignore (file, ignore, &config->ignore_mailbox, error));
}
