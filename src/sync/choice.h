/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "sync/engine.h"

G_BEGIN_DECLS

/* Which mailboxes a run is about: the arguments of the program, else list-mailbox,
 * list-select-opts and ignore-mailbox.
 *
 * In a pattern "*" is any text, "%" any text within a level, and the local delimiter stands between
 * levels. What a pattern says is UTF-8 or, as in InterIMAP, modified UTF-7. */
typedef struct _SyncChoice SyncChoice;

/* @names: arguments in the program's form, or NULL. @trees are those that will be listed: they are
 * looked at when something is asked. All must live as long. */
SyncChoice *
sync_choice_new (SyncEngine *engine, const char *const *names, GPtrArray *const trees[N_SIDES]);
void sync_choice_free (SyncChoice *choice);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SyncChoice, sync_choice_free)

/* A mailbox that is not meant by its name is left alone: neither created, renamed nor deleted. */
gboolean sync_choice_means (SyncChoice *choice, const char *name);

/* FALSE: arguments say what this run is about. */
gboolean sync_choice_is_whole (const SyncChoice *choice);

/* Whether its messages are synchronized; @subscribed: on either side. */
gboolean sync_choice_includes (SyncChoice *choice, const char *name, gboolean subscribed);

/* Whether @name is one that @pattern stands for; @delimiter stands between levels there, besides
 * MAILBOX_NAME_SEPARATOR. */
gboolean sync_choice_match (const char *pattern, const char *name, char delimiter);

/* This run has deleted what was called @name, or given it another name. */
void sync_choice_note_done (SyncChoice *choice, const char *name);

/* Whether @pattern stands for such a one. */
gboolean sync_choice_did (const SyncChoice *choice, const char *pattern);

G_END_DECLS
