/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What the applet knows of the service: plain records, filled by service-model.c, read by
 * everything else. */

typedef enum {
  STATUS_UNKNOWN,
  STATUS_OFFLINE,
  STATUS_CONNECTING,
  STATUS_SYNCING,
  STATUS_WATCHING,
  STATUS_PAUSED,
  STATUS_KEYRING_LOCKED,
  STATUS_AUTH_FAILED,
  STATUS_ERROR,
} Status;

/* From best to worst: the tray shows the worst account's. */
typedef enum {
  MOOD_IN_SYNC,
  MOOD_SYNCING,
  MOOD_PAUSED,
  MOOD_OFFLINE,
  MOOD_ATTENTION,
} Mood;

typedef enum {
  LIFE_STARTING, /* not heard of yet */
  LIFE_RUNNING,
  LIFE_ABSENT,
} Life;

/* The clock on the wall (seconds since 1970), and one that stands still while the computer
 * sleeps (seconds since whenever): a night's sleep is no ten minutes without a connection. */
typedef struct {
  gint64 wall;
  gint64 awake;
} Clock;

Clock clock_now (void);

typedef struct {
  guint64 id;
  char *kind;
  char *mailbox;
  guint64 count; /* of messages; 0 = not told */
  char *side;    /* "local", "remote" or NULL: where it happened */
  char *reason;  /* the server's words, or NULL */
  char *subject; /* the message's, or NULL */
} Conflict;

typedef struct {
  char *path;
  char *id;
  char *name;
  char *local; /* user@host */
  char *remote;
  Status status;
  char *error_code;
  char *error_message;
  guint64 last_sync;
  guint progress;
  guint64 remaining; /* messages still to be copied; 0 = not told */
  guint64 paused_until;
  guint64 next_try;
  guint mailboxes;
  guint64 messages;
  guint conflicts;
  guint held;
  guint waiting;           /* large messages, for a network that is not metered */
  GPtrArray *open;         /* Conflict, by id */
  guint64 new_mail;        /* since the person was last told */
  guint64 new_mail_serial; /* how often there was some */

  /* The trouble that was last heard of and not yet disproved by a login: stays while the service
   * connects again. Kept by account_note_status(). */
  Status trouble;
  char *trouble_code;
  guint64 trouble_serial;
  gint64 trouble_since;   /* awake */
  gint64 unreached_since; /* awake; 0 = it is reached, or its trouble is of another kind */
} Account;

typedef struct {
  Life life;
  GPtrArray *accounts; /* Account, by name */
} State;

State *state_new (void);
void state_free (State *state);
Account *state_add_account (State *state, const char *path);
Account *state_find_account (const State *state, const char *path);
void state_remove_account (State *state, const char *path);
void state_sort (State *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (State, state_free)

Conflict *conflict_new (guint64 id, const char *kind, const char *mailbox);
void conflict_free (Conflict *conflict);

/* Whether mail waits because of it; the others only tell what was done. */
gboolean conflict_is_waiting (const Conflict *conflict);

Status status_from_name (const char *name);

/* To be called after the status or the error of @account was set. */
void account_note_status (Account *account, Status before, gint64 awake);

/* Nobody is to blame, and it mends itself: no network, a server that does not answer. */
gboolean account_is_unreached (const Account *account);

Mood account_mood (const Account *account);

/* Never better than the worst account's. @worst: the first account in that mood, or NULL. */
Mood state_mood (const State *state, const Account **worst);

guint state_count_conflicts (const State *state);
guint state_count_mood (const State *state, Mood mood);

G_END_DECLS
