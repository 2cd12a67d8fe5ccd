/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "wording.h"

#include <glib/gi18n.h>

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

/* --- time ------------------------------------------------------------------------------------ */

/* Midnights between two instants: 1 when @then is yesterday, -1 when it is tomorrow. */
static gint
days_between (GDateTime *then, GDateTime *now)
{
  GDate a, b;

  g_date_clear (&a, 1);
  g_date_clear (&b, 1);
  g_date_set_dmy (&a, (GDateDay)g_date_time_get_day_of_month (then),
                  (GDateMonth)g_date_time_get_month (then), (GDateYear)g_date_time_get_year (then));
  g_date_set_dmy (&b, (GDateDay)g_date_time_get_day_of_month (now),
                  (GDateMonth)g_date_time_get_month (now), (GDateYear)g_date_time_get_year (now));
  return g_date_days_between (&a, &b);
}

char *
wording_clock (gint64 then, gint64 now)
{
  g_autoptr (GDateTime) a = g_date_time_new_from_unix_local (then);
  g_autoptr (GDateTime) b = g_date_time_new_from_unix_local (now);
  char *text = NULL;
  gint days;

  if (a == NULL || b == NULL)
    return g_strdup ("?");
  days = days_between (a, b);
  if (days == 0)
    /* Translators: a time of day, as in strftime(3): for example "%l:%M %p" for 2:05 PM. */
    text = g_date_time_format (a, C_ ("time", "%H:%M"));
  else if (days == 1)
    text = g_date_time_format (a, C_ ("time", "yesterday at %H:%M"));
  else if (days == -1)
    text = g_date_time_format (a, C_ ("time", "tomorrow at %H:%M"));
  else if (days > -7 && days < 7)
    /* Translators: a day of the week and a time, as in strftime(3). */
    text = g_date_time_format (a, C_ ("time", "%A, %H:%M"));
  if (text == NULL)
    text = g_date_time_format (a, "%x");
  return text != NULL ? text : g_strdup ("?");
}

char *
wording_ago (gint64 then, gint64 now)
{
  gint64 seconds = MAX (now - then, 0);
  gulong n;

  if (seconds < MINUTE)
    return g_strdup (_ ("just now"));
  if (seconds < HOUR) {
    n = (gulong)(seconds / MINUTE);
    return g_strdup_printf (ngettext ("%lu minute ago", "%lu minutes ago", n), n);
  }
  if (seconds < 12 * HOUR) {
    n = (gulong)(seconds / HOUR);
    return g_strdup_printf (ngettext ("%lu hour ago", "%lu hours ago", n), n);
  }
  return wording_clock (then, now);
}

/* @then in the way that fits what shows it. */
static char *
moment (gint64 then, gint64 now, gboolean lasting)
{
  return lasting ? wording_clock (then, now) : wording_ago (then, now);
}

/* --- states ---------------------------------------------------------------------------------- */

typedef enum {
  TROUBLE_NONE,
  TROUBLE_OFFLINE,
  TROUBLE_PORTAL,
  TROUBLE_UNREACHED,
  TROUBLE_PASSWORD,
  TROUBLE_KEYRING,
  TROUBLE_CERTIFICATE,
  TROUBLE_CAPABILITY,
  TROUBLE_PROTOCOL,
  TROUBLE_DATABASE,
  TROUBLE_DISK_FULL,
  TROUBLE_CONFIG,
  TROUBLE_OTHER,
} Trouble;

static const struct {
  const char *code;
  Trouble trouble;
} codes[] = {
    {"certificate", TROUBLE_CERTIFICATE}, {"auth", TROUBLE_PASSWORD},
    {"keyring", TROUBLE_KEYRING},         {"dns", TROUBLE_UNREACHED},
    {"refused", TROUBLE_UNREACHED},       {"timeout", TROUBLE_UNREACHED},
    {"portal", TROUBLE_PORTAL},           {"capability", TROUBLE_CAPABILITY},
    {"protocol", TROUBLE_PROTOCOL},       {"database", TROUBLE_DATABASE},
    {"disk-full", TROUBLE_DISK_FULL},     {"config", TROUBLE_CONFIG},
};

/* Titles: what is wrong, in two or three words. */
static const char *const titles[] = {
    [TROUBLE_NONE] = NULL,
    [TROUBLE_OFFLINE] = N_ ("Offline"),
    /* Translators: a hotel's or train's network that wants a login on a web page first. */
    [TROUBLE_PORTAL] = N_ ("This network asks for a login"),
    [TROUBLE_UNREACHED] = N_ ("The server cannot be reached"),
    [TROUBLE_PASSWORD] = N_ ("Password refused"),
    [TROUBLE_KEYRING] = N_ ("The keyring is locked"),
    [TROUBLE_CERTIFICATE] = N_ ("The server’s certificate is not trusted"),
    [TROUBLE_CAPABILITY] = N_ ("The server lacks a needed extension"),
    [TROUBLE_PROTOCOL] = N_ ("The server is not understood"),
    [TROUBLE_DATABASE] = N_ ("The database cannot be used"),
    [TROUBLE_DISK_FULL] = N_ ("The disk is full"),
    [TROUBLE_CONFIG] = N_ ("The configuration is wrong"),
    [TROUBLE_OTHER] = N_ ("Mail cannot be synchronized"),
};

/* The same after an account's name and a colon. */
static const char *const phrases[] = {
    [TROUBLE_NONE] = NULL,
    /* Translators: these follow the name of an account: "work: offline". */
    [TROUBLE_OFFLINE] = NC_ ("account", "offline"),
    [TROUBLE_PORTAL] = NC_ ("account", "this network asks for a login"),
    [TROUBLE_UNREACHED] = NC_ ("account", "the server cannot be reached"),
    [TROUBLE_PASSWORD] = NC_ ("account", "password refused"),
    [TROUBLE_KEYRING] = NC_ ("account", "the keyring is locked"),
    [TROUBLE_CERTIFICATE] = NC_ ("account", "the server’s certificate is not trusted"),
    [TROUBLE_CAPABILITY] = NC_ ("account", "the server lacks a needed extension"),
    [TROUBLE_PROTOCOL] = NC_ ("account", "the server is not understood"),
    [TROUBLE_DATABASE] = NC_ ("account", "the database cannot be used"),
    [TROUBLE_DISK_FULL] = NC_ ("account", "the disk is full"),
    [TROUBLE_CONFIG] = NC_ ("account", "the configuration is wrong"),
    [TROUBLE_OTHER] = NC_ ("account", "mail cannot be synchronized"),
};

static const char *const bodies[] = {
    [TROUBLE_NONE] = NULL,
    [TROUBLE_OFFLINE] = N_ ("New mail and changes will follow when the network is back."),
    [TROUBLE_PORTAL] = N_ ("Open a web page and log in to the network; mail will follow."),
    [TROUBLE_UNREACHED] = N_ ("It is tried again by itself; mail will follow when it answers."),
    [TROUBLE_PASSWORD] = N_ ("Nothing is synchronized until the password is right."),
    [TROUBLE_KEYRING] = N_ ("The password is kept there. Unlock it to synchronize mail."),
    [TROUBLE_CERTIFICATE] =
        N_ ("No password was sent. The certificate may have been replaced, or somebody may be "
            "listening: ask whoever runs the server."),
    [TROUBLE_CAPABILITY] = N_ ("Mail cannot be synchronized with it; nothing was changed."),
    [TROUBLE_PROTOCOL] = N_ ("It said something unexpected; nothing was changed."),
    [TROUBLE_DATABASE] = N_ ("Nothing is synchronized until that is mended."),
    [TROUBLE_DISK_FULL] = N_ ("Mail will follow when there is space again."),
    [TROUBLE_CONFIG] = N_ ("Nothing is synchronized until it is corrected."),
    [TROUBLE_OTHER] = N_ ("It is tried again by itself."),
};

static Trouble
find_code (const Account *account, Trouble otherwise)
{
  for (guint i = 0; i < G_N_ELEMENTS (codes); i++) {
    if (g_str_equal (account->trouble_code, codes[i].code))
      return codes[i].trouble;
  }
  return otherwise;
}

static Trouble
find_trouble (const Account *account)
{
  switch (account->trouble) {
  case STATUS_OFFLINE:
    return find_code (account, TROUBLE_OFFLINE);
  case STATUS_KEYRING_LOCKED:
    return TROUBLE_KEYRING;
  case STATUS_AUTH_FAILED:
    return TROUBLE_PASSWORD;
  case STATUS_ERROR:
    return find_code (account, TROUBLE_OTHER);
  case STATUS_UNKNOWN:
    return account->status == STATUS_UNKNOWN ? TROUBLE_OTHER : TROUBLE_NONE;
  case STATUS_CONNECTING:
  case STATUS_SYNCING:
  case STATUS_WATCHING:
  case STATUS_PAUSED:
    break;
  }
  return TROUBLE_NONE;
}

char *
wording_trouble (const Account *account)
{
  Trouble trouble = find_trouble (account);

  return trouble == TROUBLE_NONE ? NULL : g_strdup (_ (titles[trouble]));
}

char *
wording_trouble_body (const Account *account)
{
  Trouble trouble = find_trouble (account);

  return trouble == TROUBLE_NONE ? NULL : g_strdup (_ (bodies[trouble]));
}

static char *
word_progress (const Account *account, gboolean sentence)
{
  gulong n = (gulong)account->remaining;

  if (n > 0 && sentence)
    return g_strdup_printf (
        ngettext ("Copying %lu message, %u %%", "Copying %lu messages, %u %%", n), n,
        account->progress);
  if (n > 0)
    /* Translators: follows the name of an account: "work: copying 312 messages, 40 %". */
    return g_strdup_printf (
        ngettext ("copying %lu message, %u %%", "copying %lu messages, %u %%", n), n,
        account->progress);
  if (account->progress > 0 && sentence)
    return g_strdup_printf (_ ("Synchronizing, %u %%"), account->progress);
  if (account->progress > 0)
    return g_strdup_printf (C_ ("account", "synchronizing, %u %%"), account->progress);
  return g_strdup (sentence ? _ ("Synchronizing…") : C_ ("account", "synchronizing…"));
}

static char *
word_paused (const Account *account, Clock now, gboolean sentence)
{
  g_autofree char *until = NULL;
  gulong n = account->waiting;

  if (account->status != STATUS_PAUSED)
    /* Translators: also follows the name of an account. "metered": one that counts bytes. */
    return g_strdup_printf (ngettext ("%lu large message waits for a network that is not metered",
                                      "%lu large messages wait for a network that is not metered",
                                      n),
                            n);
  if (g_str_equal (account->error_code, "metered"))
    return g_strdup (sentence ? _ ("Paused: the network is metered")
                              : C_ ("account", "paused, the network is metered"));
  if (account->paused_until == 0)
    return g_strdup (sentence ? _ ("Paused") : C_ ("account", "paused"));
  until = wording_clock ((gint64)account->paused_until, now.wall);
  return g_strdup_printf (sentence ? _ ("Paused until %s") : C_ ("account", "paused until %s"),
                          until);
}

/* What waits for a person's answer, or for a server that takes it. */
static char *
word_waiting (const Account *account)
{
  gulong held = account->held;

  for (guint i = 0; i < account->open->len; i++) {
    const Conflict *conflict = g_ptr_array_index (account->open, i);

    if (g_str_equal (conflict->kind, "mass-deletion"))
      return g_strdup (C_ ("account", "many messages vanished, waiting for your answer"));
  }
  if (held > 0)
    return g_strdup_printf (ngettext ("%lu message could not be synchronized",
                                      "%lu messages could not be synchronized", held),
                            held);
  return g_strdup (C_ ("account", "a mailbox could not be synchronized"));
}

static char *
word_account (const Account *account, Clock now, gboolean lasting)
{
  Mood mood = account_mood (account);
  Trouble trouble = find_trouble (account);
  g_autofree char *last = NULL;

  if (account->last_sync != 0)
    last = moment ((gint64)account->last_sync, now.wall, lasting);
  if (mood == MOOD_PAUSED)
    return word_paused (account, now, FALSE);
  if (account->status == STATUS_CONNECTING && mood != MOOD_OFFLINE)
    return g_strdup (C_ ("account", "connecting…"));
  if (trouble == TROUBLE_OFFLINE && last != NULL)
    /* Translators: %s is a time: "2 hours ago", "yesterday at 14:05". */
    return g_strdup_printf (C_ ("account", "offline, last in sync %s"), last);
  if (trouble != TROUBLE_NONE)
    return g_strdup (g_dpgettext2 (NULL, "account", phrases[trouble]));
  if (account->status == STATUS_SYNCING)
    return word_progress (account, FALSE);
  if (mood == MOOD_ATTENTION)
    return word_waiting (account);
  if (last != NULL)
    return g_strdup_printf (C_ ("account", "in sync, %s"), last);
  return g_strdup (C_ ("account", "in sync"));
}

char *
wording_account (const Account *account, Clock now)
{
  return word_account (account, now, FALSE);
}

char *
wording_account_lasting (const Account *account, Clock now)
{
  return word_account (account, now, TRUE);
}

/* When the account that was last in sync longest ago was; 0 = never, or not all of them. */
static gint64
oldest_sync (const State *state)
{
  guint64 oldest = G_MAXINT64;

  for (guint i = 0; i < state->accounts->len; i++) {
    const Account *account = g_ptr_array_index (state->accounts, i);

    oldest = MIN (oldest, account->last_sync);
  }
  return (gint64)oldest;
}

static char *
word_whole (const State *state, Mood mood, const Account *worst, Clock now, gboolean lasting)
{
  gint64 last = oldest_sync (state);
  g_autofree char *when = last != 0 ? moment (last, now.wall, lasting) : NULL;

  if (mood == MOOD_IN_SYNC && when != NULL)
    /* Translators: %s is a time: "2 minutes ago", "yesterday at 14:05". */
    return g_strdup_printf (_ ("All mail in sync, %s"), when);
  if (mood == MOOD_IN_SYNC)
    return g_strdup (_ ("All mail in sync"));
  if (mood == MOOD_SYNCING && worst->status == STATUS_CONNECTING)
    return g_strdup (_ ("Connecting…"));
  if (mood == MOOD_SYNCING)
    return word_progress (worst, TRUE);
  if (mood == MOOD_PAUSED)
    return word_paused (worst, now, TRUE);
  if (when != NULL)
    return g_strdup_printf (_ ("Offline, last in sync %s"), when);
  return g_strdup (_ ("Offline"));
}

/* One sentence holds for all accounts: they are in the same state for the same reason. */
static gboolean
is_common (const State *state, Mood mood, const Account *worst)
{
  guint n = state_count_mood (state, mood);

  if (mood == MOOD_IN_SYNC)
    return TRUE;
  if (mood == MOOD_ATTENTION || n != state->accounts->len)
    return FALSE;
  for (guint i = 0; i < state->accounts->len; i++) {
    const Account *account = g_ptr_array_index (state->accounts, i);

    if (mood == MOOD_OFFLINE && find_trouble (account) != TROUBLE_OFFLINE)
      return FALSE;
    if (mood == MOOD_PAUSED &&
        (account->paused_until != worst->paused_until || account->status != worst->status ||
         !g_str_equal (account->error_code, worst->error_code)))
      return FALSE;
    if (mood == MOOD_PAUSED && worst->status != STATUS_PAUSED && account != worst)
      return FALSE;
    if (mood == MOOD_SYNCING && account != worst)
      return FALSE;
  }
  return TRUE;
}

static char *
word_summary (const State *state, Clock now, gboolean lasting)
{
  const Account *worst;
  Mood mood = state_mood (state, &worst);
  g_autofree char *phrase = NULL;

  if (state->life == LIFE_STARTING)
    return g_strdup (_ ("Starting…"));
  if (state->life == LIFE_ABSENT)
    return g_strdup (_ ("imapsync is not running"));
  if (worst == NULL)
    return g_strdup (_ ("No account is configured"));
  if (is_common (state, mood, worst))
    return word_whole (state, mood, worst, now, lasting);
  phrase = word_account (worst, now, lasting);
  /* Translators: the name of an account, and what is the matter with it. */
  return g_strdup_printf (C_ ("account", "%s: %s"), worst->name, phrase);
}

char *
wording_summary (const State *state, Clock now)
{
  return word_summary (state, now, FALSE);
}

char *
wording_summary_lasting (const State *state, Clock now)
{
  return word_summary (state, now, TRUE);
}

const char *
wording_mood (Mood mood)
{
  switch (mood) {
  case MOOD_IN_SYNC:
    return _ ("All mail in sync");
  case MOOD_SYNCING:
    return _ ("Mail is being synchronized");
  case MOOD_PAUSED:
    return _ ("Synchronization is paused");
  case MOOD_OFFLINE:
    return _ ("Mail is not synchronized: offline");
  case MOOD_ATTENTION:
    break;
  }
  return _ ("Mail is not synchronized: look here");
}
