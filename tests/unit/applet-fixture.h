/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "state.h"

#include <stdlib.h>
#include <time.h>

/* A Tuesday, 14 July 2020, 14:05:00 UTC. */
#define NOW   1594735500
#define AWAKE 100000

static const Clock now = {NOW, AWAKE};

/* Words and times as the source has them, wherever the test runs. */
static inline void
fixture_init (void)
{
  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  g_setenv ("TZ", "UTC", TRUE);
  tzset ();
}

static inline State *
fixture_state (void)
{
  State *state = state_new ();

  state->life = LIFE_RUNNING;
  return state;
}

static inline void
fixture_set (Account *account, Status status, const char *code, gint64 awake)
{
  Status before = account->status;

  account->status = status;
  g_free (account->error_code);
  account->error_code = g_strdup (code);
  account_note_status (account, before, awake);
}

static inline Account *
fixture_add (State *state, const char *name, Status status)
{
  g_autofree char *path = g_strconcat ("/org/imapsync/Sync1/account/", name, NULL);
  Account *account = state_add_account (state, path);

  g_free (account->local);
  account->local = g_strdup ("ann@localhost");
  g_free (account->remote);
  account->remote = g_strdup ("ann@mail.example.org");
  fixture_set (account, status, "", AWAKE);
  return account;
}

static inline Conflict *
fixture_conflict (Account *account, guint64 id, const char *kind, const char *mailbox)
{
  Conflict *conflict = conflict_new (id, kind, mailbox);

  g_ptr_array_add (account->open, conflict);
  return conflict;
}

#define assert_takes(expected, got)                                                                \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_autofree char *taken = (got);                                                                \
    g_assert_cmpstr (taken, ==, expected);                                                         \
  }                                                                                                \
  G_STMT_END
