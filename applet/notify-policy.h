/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "action.h"
#include "state.h"

G_BEGIN_DECLS

typedef enum {
  URGENCY_LOW,
  URGENCY_NORMAL,
} Urgency;

typedef struct {
  char *label;
  Action *action;
} NoticeButton;

/* A notification that has reason to exist. */
typedef struct {
  char *key;  /* account and kind: the same notification, whatever it says */
  char *path; /* the account's */
  const char *kind;
  char *account; /* its name */
  char *summary;
  char *body; /* plain text */
  const char *category;
  Urgency urgency;
  gboolean lasting;   /* stays until its cause is gone or somebody closes it */
  guint64 serial;     /* closed by the person, it comes back only with a higher one */
  guint rank;         /* 0: the most important */
  GPtrArray *buttons; /* NoticeButton */
  gboolean click;     /* a click on the text is the first button */
} Notice;

Notice *notice_ref (Notice *notice);
void notice_unref (Notice *notice);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Notice, notice_unref)

#define NOTICE_NEW_MAIL "new-mail"

/* Which notifications should exist, the most important first. Pure. @again_in: in how many seconds
 * the answer will be another one though nothing happens, 0: never. (transfer full) */
GPtrArray *notify_policy (const State *state, Clock now, guint *again_in);

G_END_DECLS
