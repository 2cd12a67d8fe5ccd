/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "service-model.h"

#include <string.h>

/* GDBusObjectManagerClient would do, but asks with a blocking call when the service comes back.
 *
 * Signals and the answer to GetManagedObjects come over one connection in the order in which the
 * service sent them, so a signal from before the answer is contained in it, and is ignored because
 * no account is known yet. */

#define ACCOUNT_INTERFACE    SERVICE_NAME ".Account"
#define MANAGER_INTERFACE    "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

enum { HOUR = 3600 };

struct _ServiceModel {
  GDBusConnection *bus;
  void (*changed) (gpointer data);
  gpointer data;
  State *state;
  guint watch;
  guint signals;
  char *owner; /* the unique name; NULL: absent */
  GCancellable *cancellable;
};

/* --- properties ------------------------------------------------------------------------------ */

static const struct {
  const char *name;
  const char *type;
  gsize offset;
} fields[] = {
    {"Id", "s", G_STRUCT_OFFSET (Account, id)},
    {"Name", "s", G_STRUCT_OFFSET (Account, name)},
    {"Local", "s", G_STRUCT_OFFSET (Account, local)},
    {"Remote", "s", G_STRUCT_OFFSET (Account, remote)},
    {"ErrorCode", "s", G_STRUCT_OFFSET (Account, error_code)},
    {"ErrorMessage", "s", G_STRUCT_OFFSET (Account, error_message)},
    {"LastSync", "t", G_STRUCT_OFFSET (Account, last_sync)},
    {"Progress", "u", G_STRUCT_OFFSET (Account, progress)},
    {"Remaining", "t", G_STRUCT_OFFSET (Account, remaining)},
    {"PausedUntil", "t", G_STRUCT_OFFSET (Account, paused_until)},
    {"NextTry", "t", G_STRUCT_OFFSET (Account, next_try)},
    {"Mailboxes", "u", G_STRUCT_OFFSET (Account, mailboxes)},
    {"Messages", "t", G_STRUCT_OFFSET (Account, messages)},
    {"Conflicts", "u", G_STRUCT_OFFSET (Account, conflicts)},
    {"Held", "u", G_STRUCT_OFFSET (Account, held)},
    {"Waiting", "u", G_STRUCT_OFFSET (Account, waiting)},
};

static void
read_field (Account *account, guint i, GVariant *value)
{
  gpointer field = G_STRUCT_MEMBER_P (account, fields[i].offset);

  if (!g_variant_is_of_type (value, G_VARIANT_TYPE (fields[i].type)))
    return;
  switch (fields[i].type[0]) {
  case 's':
    g_free (*(char **)field);
    *(char **)field = g_variant_dup_string (value, NULL);
    break;
  case 'u':
    *(guint *)field = g_variant_get_uint32 (value);
    break;
  default:
    /* Half of what fits, so that sums and differences do too. */
    *(guint64 *)field = MIN (g_variant_get_uint64 (value), (guint64)G_MAXINT64 / 2);
    break;
  }
}

/* @properties: a{sv} */
static void
read_account (Account *account, GVariant *properties)
{
  g_autofree char *code = g_strdup (account->error_code);
  Status before = account->status;
  const char *status;

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    g_autoptr (GVariant) value = g_variant_lookup_value (properties, fields[i].name, NULL);

    if (value != NULL)
      read_field (account, i, value);
  }
  if (g_variant_lookup (properties, "Status", "&s", &status))
    account->status = status_from_name (status);
  if (account->status != before || !g_str_equal (code, account->error_code))
    account_note_status (account, before, clock_now ().awake);
  if (account->name[0] == '\0') {
    g_free (account->name);
    account->name = g_strdup (account->id);
  }
}

/* --- conflicts ------------------------------------------------------------------------------- */

/* Whatever the type: a number may come as text. */
static guint64
lookup_number (GVariant *details, const char *key)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (details, key, NULL);

  if (value == NULL)
    return 0;
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
    return g_variant_get_uint64 (value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
    return g_variant_get_uint32 (value);
  if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return g_ascii_strtoull (g_variant_get_string (value, NULL), NULL, 10);
  return 0;
}

static Conflict *
read_conflict (GVariant *record)
{
  static const char *const sides[] = {"gone-on", "deleted-on", "side"};
  g_autoptr (GVariant) details = g_variant_get_child_value (record, 5);
  const char *kind, *mailbox;
  guint64 id;
  Conflict *conflict;

  g_variant_get_child (record, 0, "t", &id);
  g_variant_get_child (record, 1, "&s", &kind);
  g_variant_get_child (record, 2, "&s", &mailbox);
  conflict = conflict_new (id, kind, mailbox);
  conflict->count = lookup_number (details, "count");
  for (guint i = 0; i < G_N_ELEMENTS (sides) && conflict->side == NULL; i++)
    g_variant_lookup (details, sides[i], "s", &conflict->side);
  g_variant_lookup (details, "reason", "s", &conflict->reason);
  g_variant_lookup (details, "subject", "s", &conflict->subject);
  return conflict;
}

static gint
compare_conflicts (gconstpointer a, gconstpointer b)
{
  const Conflict *left = *(Conflict *const *)a, *right = *(Conflict *const *)b;

  return (left->id > right->id) - (left->id < right->id);
}

typedef struct {
  ServiceModel *model;
  char *path;
} Question;

static Question *
question_new (ServiceModel *model, const char *path)
{
  Question *question = g_new (Question, 1);

  question->model = model;
  question->path = g_strdup (path);
  return question;
}

static void
question_free (Question *question)
{
  g_free (question->path);
  g_free (question);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Question, question_free)

static void
on_conflicts (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (Question) question = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autoptr (GVariant) list = NULL;
  Account *account;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* the model may be gone */
  account = state_find_account (question->model->state, question->path);
  if (account == NULL)
    return;
  if (error != NULL) {
    g_message ("the conflicts of %s cannot be listed: %s", account->id, error->message);
    return;
  }
  g_ptr_array_set_size (account->open, 0);
  list = g_variant_get_child_value (reply, 0);
  for (gsize i = 0; i < g_variant_n_children (list); i++) {
    g_autoptr (GVariant) record = g_variant_get_child_value (list, i);

    g_ptr_array_add (account->open, read_conflict (record));
  }
  g_ptr_array_sort (account->open, compare_conflicts);
  question->model->changed (question->model->data);
}

static void
list_conflicts (ServiceModel *model, const char *path)
{
  g_dbus_connection_call (model->bus, model->owner, path, ACCOUNT_INTERFACE, "ListConflicts", NULL,
                          G_VARIANT_TYPE ("(a(tsstta{sv}))"), G_DBUS_CALL_FLAGS_NONE, -1,
                          model->cancellable, on_conflicts, question_new (model, path));
}

/* --- objects --------------------------------------------------------------------------------- */

static void
read_object (ServiceModel *model, const char *path, GVariant *interfaces)
{
  g_autoptr (GVariant) properties =
      g_variant_lookup_value (interfaces, ACCOUNT_INTERFACE, G_VARIANT_TYPE_VARDICT);
  Account *account;

  if (properties == NULL)
    return;
  account = state_find_account (model->state, path);
  if (account == NULL)
    account = state_add_account (model->state, path);
  read_account (account, properties);
  list_conflicts (model, path);
}

static void
on_objects (GObject *source, GAsyncResult *result, gpointer data)
{
  ServiceModel *model = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autoptr (GVariantIter) iter = NULL;
  const char *path;
  GVariant *interfaces;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (error != NULL)
    g_message ("the accounts cannot be listed: %s", error->message);
  model->state->life = LIFE_RUNNING;
  if (reply != NULL) {
    g_variant_get (reply, "(a{oa{sa{sv}}})", &iter);
    while (g_variant_iter_loop (iter, "{&o@a{sa{sv}}}", &path, &interfaces))
      read_object (model, path, interfaces);
    state_sort (model->state);
  }
  model->changed (model->data);
}

static void
on_properties_changed (ServiceModel *model, const char *path, GVariant *parameters)
{
  Account *account = state_find_account (model->state, path);
  g_autoptr (GVariant) properties = NULL;
  const char *interface;
  guint conflicts;

  if (account == NULL || !g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(sa{sv}as)")))
    return;
  g_variant_get_child (parameters, 0, "&s", &interface);
  if (!g_str_equal (interface, ACCOUNT_INTERFACE))
    return;
  properties = g_variant_get_child_value (parameters, 1);
  conflicts = account->conflicts;
  read_account (account, properties);
  if (account->conflicts != conflicts)
    list_conflicts (model, path);
  state_sort (model->state);
  model->changed (model->data);
}

static void
on_interfaces_changed (ServiceModel *model, const char *member, GVariant *parameters)
{
  g_autoptr (GVariant) interfaces = NULL;
  const char *path;

  if (model->state->life != LIFE_RUNNING)
    return;
  if (g_str_equal (member, "InterfacesAdded") &&
      g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oa{sa{sv}})"))) {
    g_variant_get (parameters, "(&o@a{sa{sv}})", &path, &interfaces);
    read_object (model, path, interfaces);
    state_sort (model->state);
  } else if (g_str_equal (member, "InterfacesRemoved") &&
             g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(oas)"))) {
    g_variant_get_child (parameters, 0, "&o", &path);
    state_remove_account (model->state, path);
  }
  model->changed (model->data);
}

/* The service counts new mail only where its configuration asks for it. */
static void
on_finished (ServiceModel *model, Account *account, GVariant *parameters)
{
  g_autoptr (GVariant) figures = NULL;
  guint64 n;

  if (!g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(ba{sv})")))
    return;
  figures = g_variant_get_child_value (parameters, 1);
  n = lookup_number (figures, "new-mail");
  if (n == 0)
    return;
  account->new_mail += n;
  account->new_mail_serial++;
  model->changed (model->data);
}

static void
on_signal (GDBusConnection *bus, const char *sender, const char *path, const char *interface,
           const char *member, GVariant *parameters, gpointer data)
{
  ServiceModel *model = data;
  Account *account = state_find_account (model->state, path);

  if (g_str_equal (interface, PROPERTIES_INTERFACE))
    on_properties_changed (model, path, parameters);
  else if (g_str_equal (interface, MANAGER_INTERFACE))
    on_interfaces_changed (model, member, parameters);
  else if (account == NULL || !g_str_equal (interface, ACCOUNT_INTERFACE))
    return;
  else if (g_str_equal (member, "SyncFinished"))
    on_finished (model, account, parameters);
  else
    list_conflicts (model, path); /* Conflict, ConflictResolved */
}

/* --- the service comes and goes -------------------------------------------------------------- */

static void
forget (ServiceModel *model)
{
  if (model->signals != 0)
    g_dbus_connection_signal_unsubscribe (model->bus, model->signals);
  model->signals = 0;
  g_cancellable_cancel (model->cancellable);
  g_clear_object (&model->cancellable);
  g_clear_pointer (&model->owner, g_free);
  g_ptr_array_set_size (model->state->accounts, 0);
}

static void
on_appeared (GDBusConnection *bus, const char *name, const char *owner, gpointer data)
{
  ServiceModel *model = data;

  forget (model);
  model->state->life = LIFE_STARTING;
  model->owner = g_strdup (owner);
  model->cancellable = g_cancellable_new ();
  model->signals = g_dbus_connection_signal_subscribe (
      bus, owner, NULL, NULL, NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_signal, model, NULL);
  g_dbus_connection_call (bus, owner, SERVICE_PATH, MANAGER_INTERFACE, "GetManagedObjects", NULL,
                          G_VARIANT_TYPE ("(a{oa{sa{sv}}})"), G_DBUS_CALL_FLAGS_NONE, -1,
                          model->cancellable, on_objects, model);
}

static void
on_vanished (GDBusConnection *bus, const char *name, gpointer data)
{
  ServiceModel *model = data;

  forget (model);
  model->state->life = LIFE_ABSENT;
  model->changed (model->data);
}

ServiceModel *
service_model_new (GDBusConnection *bus, void (*changed) (gpointer data), gpointer data)
{
  ServiceModel *model = g_new0 (ServiceModel, 1);

  model->bus = g_object_ref (bus);
  model->changed = changed;
  model->data = data;
  model->state = state_new ();
  model->watch =
      g_bus_watch_name_on_connection (bus, SERVICE_NAME, G_BUS_NAME_WATCHER_FLAGS_AUTO_START,
                                      on_appeared, on_vanished, model, NULL);
  return model;
}

void
service_model_free (ServiceModel *model)
{
  if (model == NULL)
    return;
  g_bus_unwatch_name (model->watch);
  forget (model);
  state_free (model->state);
  g_object_unref (model->bus);
  g_free (model);
}

const State *
service_model_state (const ServiceModel *model)
{
  return model->state;
}

void
service_model_forget_new_mail (ServiceModel *model, const char *path)
{
  Account *account = state_find_account (model->state, path);

  if (account != NULL)
    account->new_mail = 0;
}

/* --- commands -------------------------------------------------------------------------------- */

static void
on_answered (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autofree char *method = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);

  if (reply == NULL) {
    g_dbus_error_strip_remote_error (error);
    g_message ("%s was refused: %s", method, error->message);
  }
}

static void
call (ServiceModel *model, const char *path, const char *method, GVariant *arguments)
{
  /* UnlockKeyring answers when the person has. */
  g_dbus_connection_call (model->bus, SERVICE_NAME, path != NULL ? path : SERVICE_PATH,
                          path != NULL ? ACCOUNT_INTERFACE : SERVICE_NAME, method, arguments, NULL,
                          G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL, on_answered, g_strdup (method));
}

static void
sync_now (ServiceModel *model, const char *path)
{
  call (model, path, "Sync", path != NULL ? g_variant_new ("(as)", NULL) : NULL);
}

static void
pause_until (ServiceModel *model, const char *path, gint64 time)
{
  call (model, path, "PauseUntil", g_variant_new ("(t)", (guint64)time));
}

static void
unlock (ServiceModel *model, const char *path)
{
  /* One prompt serves all accounts. */
  for (guint i = 0; i < model->state->accounts->len && path == NULL; i++) {
    const Account *account = g_ptr_array_index (model->state->accounts, i);

    if (account->status == STATUS_KEYRING_LOCKED)
      path = account->path;
  }
  if (path != NULL)
    call (model, path, "UnlockKeyring", NULL);
}

void
service_model_act (ServiceModel *model, const Action *action)
{
  gint64 now = clock_now ().wall;

  switch (action->verb) {
  case VERB_START: /* the bus starts it for any call */
    call (model, NULL, "Sync", NULL);
    break;
  case VERB_SYNC:
    sync_now (model, action->path);
    break;
  case VERB_PAUSE:
    call (model, action->path, "Pause", NULL);
    break;
  case VERB_PAUSE_HOUR:
    pause_until (model, action->path, now + HOUR);
    break;
  case VERB_PAUSE_TOMORROW:
    pause_until (model, action->path, action_tomorrow (now));
    break;
  case VERB_RESUME:
    call (model, action->path, "Resume", NULL);
    break;
  case VERB_UNLOCK:
    unlock (model, action->path);
    break;
  case VERB_RESOLVE:
    for (guint i = 0; i < action->conflicts->len; i++)
      call (model, action->path, "Resolve",
            g_variant_new ("(ts)", g_array_index (action->conflicts, guint64, i), action->choice));
    break;
  case VERB_NONE:
  case VERB_QUIT:
    break;
  }
}
