/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "secrets.h"

#include "bus-names.h"
#include "secret-item.h"
#include "session-bus.h"

#include <string.h>

#define SERVICE_NAME "org.freedesktop.secrets"
#define BURST        200 /* milliseconds: an unlock is told by several signals */
#define TRY_AGAIN    60  /* seconds, where the service does not answer */
#define DAEMON       "org.freedesktop.DBus"

typedef enum {
  WANT_UNKNOWN,
  WANT_FOUND,
  WANT_ABSENT,
  WANT_LOCKED,
} WantState;

/* A password that an account wants. Outlives its account while a call is under way. */
typedef struct {
  Secrets *secrets;
  char *account;
  Side side;
  WantState state;
  Password *password; /* that was told */
  gboolean told;      /* the state was */
  GList *locked;      /* GDBusProxy: items or a collection to unlock */
  gboolean reading;
  gboolean again; /* something happened while it was read */
  gboolean forgotten;
} Want;

typedef struct {
  char *account;
  SecretsUnlocked done;
  gpointer data;
  gboolean asked; /* the user was, for this one too */
} Waiter;

struct _Secrets {
  SecretsAnswer answer; /* NULL: freed */
  gpointer data;
  GDBusConnection *connection;
  gboolean connecting;
  guint signals[3];
  guint watch;
  guint burst;
  guint retry;
  GPtrArray *wants;   /* Want */
  GPtrArray *waiters; /* Waiter */
  guint reading;
  gboolean unlocking;
  gboolean had_wallet; /* KWallet was asked once without a user's doing */
  char *refusal;       /* why the last prompt did not help */
};

static void read_want (Want *want);
static void advance (Secrets *self);

/* --- records --------------------------------------------------------------------------------- */

static void
want_clear (gpointer data)
{
  Want *want = data;

  g_list_free_full (want->locked, g_object_unref);
  g_free (want->account);
  password_unref (want->password);
}

static void
want_unref (gpointer want)
{
  g_rc_box_release_full (want, want_clear);
}

static gpointer
want_copy (gconstpointer want, gpointer data)
{
  return g_rc_box_acquire ((gpointer)want);
}

static void
waiter_free (gpointer data)
{
  Waiter *waiter = data;

  g_free (waiter->account);
  g_free (waiter);
}

static void
secrets_clear (gpointer data)
{
  Secrets *self = data;

  g_ptr_array_unref (self->wants);
  g_ptr_array_unref (self->waiters);
  g_free (self->refusal);
}

static Secrets *
secrets_ref (Secrets *self)
{
  return g_rc_box_acquire (self);
}

static void
secrets_unref (Secrets *self)
{
  g_rc_box_release_full (self, secrets_clear);
}

/* --- answers --------------------------------------------------------------------------------- */

static void
tell (Want *want, WantState state, const char *text)
{
  g_autoptr (Password) password = text != NULL ? password_new (text) : NULL;
  gboolean same = want->told && want->state == state && password_equal (want->password, password);

  want->state = state;
  want->told = TRUE;
  if (!password_equal (want->password, password)) {
    password_unref (want->password);
    want->password = password_ref (password);
  }
  if (!same && !want->forgotten && want->secrets->answer != NULL)
    want->secrets->answer (want->account, want->side, want->password, state == WANT_LOCKED,
                           want->secrets->data);
}

/* Ends one reading. */
static void
finish_reading (Want *want, WantState state, const char *password)
{
  Secrets *self = want->secrets;

  want->reading = FALSE;
  self->reading--;
  tell (want, state, password);
  if (want->again && !want->forgotten && self->answer != NULL)
    read_want (want);
  advance (self);
  want_unref (want);
  secrets_unref (self);
}

static gboolean
on_retry (gpointer data)
{
  Secrets *self = data;

  self->retry = 0;
  for (guint i = 0; i < self->wants->len; i++)
    read_want (g_ptr_array_index (self->wants, i));
  return G_SOURCE_REMOVE;
}

static gboolean
is_absent_service (const GError *error)
{
  return g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
         g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
         (error->domain == G_DBUS_ERROR && error->code >= G_DBUS_ERROR_SPAWN_EXEC_FAILED &&
          error->code <= G_DBUS_ERROR_SPAWN_NO_MEMORY);
}

/* No service: no password, until one appears. One that does not work: as if it were locked. */
static void
fail_reading (Want *want, const GError *error)
{
  Secrets *self = want->secrets;

  if (is_absent_service (error)) {
    finish_reading (want, WANT_ABSENT, NULL);
    return;
  }
  if (self->answer != NULL && !want->forgotten) {
    g_warning ("the password of %s's %s side cannot be asked for: %s", want->account,
               side_name (want->side), error->message);
    if (self->retry == 0)
      self->retry = g_timeout_add_seconds (TRY_AGAIN, on_retry, self);
  }
  finish_reading (want, WANT_LOCKED, NULL);
}

/* --- reading --------------------------------------------------------------------------------- */

static void
on_default_collection (GObject *source, GAsyncResult *result, gpointer data)
{
  Want *want = data;
  g_autoptr (SecretCollection) collection = secret_collection_for_alias_finish (result, NULL);

  if (collection == NULL || !secret_collection_get_locked (collection)) {
    finish_reading (want, WANT_ABSENT, NULL);
    return;
  }
  want->locked = g_list_prepend (NULL, g_steal_pointer (&collection));
  finish_reading (want, WANT_LOCKED, NULL);
}

/* The newest that can be read; what is locked goes to want->locked. */
static SecretItem *
choose_item (Want *want, GList *items)
{
  SecretItem *chosen = NULL;

  for (GList *l = items; l != NULL; l = l->next) {
    SecretItem *item = l->data;

    if (secret_item_get_locked (item))
      want->locked = g_list_prepend (want->locked, g_object_ref (item));
    else if (chosen == NULL || secret_item_get_modified (item) > secret_item_get_modified (chosen))
      chosen = item;
  }
  return chosen;
}

static void
on_found (GObject *source, GAsyncResult *result, gpointer data)
{
  Want *want = data;
  SecretService *service = SECRET_SERVICE (source);
  g_autoptr (GError) error = NULL;
  GList *items = secret_service_search_finish (service, result, &error);
  SecretItem *item = error == NULL ? choose_item (want, items) : NULL;
  g_autoptr (SecretValue) value = item != NULL ? secret_item_get_secret (item) : NULL;
  const char *password = value != NULL ? secret_value_get_text (value) : NULL;

  if (error != NULL)
    fail_reading (want, error);
  else if (password != NULL)
    finish_reading (want, WANT_FOUND, password);
  else if (want->locked != NULL)
    finish_reading (want, WANT_LOCKED, NULL);
  else if (item != NULL)
    finish_reading (want, WANT_ABSENT, NULL);
  else /* a locked KWallet shows nothing at all */
    secret_collection_for_alias (service, SECRET_COLLECTION_DEFAULT, SECRET_COLLECTION_NONE, NULL,
                                 on_default_collection, want);
  g_list_free_full (items, g_object_unref);
}

static void
on_service (GObject *source, GAsyncResult *result, gpointer data)
{
  Want *want = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SecretService) service = secret_service_get_finish (result, &error);
  g_autoptr (GHashTable) attributes = NULL;

  if (service == NULL) {
    fail_reading (want, error);
    return;
  }
  attributes = secret_item_attributes (want->account, want->side);
  secret_service_search (service, &secret_item_schema, attributes,
                         SECRET_SEARCH_ALL | SECRET_SEARCH_LOAD_SECRETS, NULL, on_found, want);
}

static void
read_want (Want *want)
{
  Secrets *self = want->secrets;

  want->again = want->reading;
  if (want->reading || self->connecting)
    return;
  if (self->connection == NULL) {
    tell (want, WANT_ABSENT, NULL);
    return;
  }
  want->reading = TRUE;
  self->reading++;
  g_list_free_full (g_steal_pointer (&want->locked), g_object_unref);
  secrets_ref (self);
  secret_service_get (SECRET_SERVICE_OPEN_SESSION, NULL, on_service, g_rc_box_acquire (want));
}

static void
read_all (Secrets *self)
{
  g_autoptr (GPtrArray) wants = g_ptr_array_copy (self->wants, want_copy, NULL);

  for (guint i = 0; i < wants->len; i++)
    read_want (g_ptr_array_index (wants, i));
}

/* --- unlocking ------------------------------------------------------------------------------- */

static gboolean
is_locked (Secrets *self, const char *account)
{
  for (guint i = 0; i < self->wants->len; i++) {
    Want *want = g_ptr_array_index (self->wants, i);
    if (want->state == WANT_LOCKED && g_str_equal (want->account, account))
      return TRUE;
  }
  return FALSE;
}

static gboolean
has_waiter (Secrets *self, const char *account)
{
  for (guint i = 0; i < self->waiters->len; i++) {
    if (g_str_equal (((Waiter *)g_ptr_array_index (self->waiters, i))->account, account))
      return TRUE;
  }
  return FALSE;
}

static void
answer_waiter (Secrets *self, guint i)
{
  Waiter *waiter = g_ptr_array_steal_index (self->waiters, i);
  g_autoptr (GError) error = NULL;

  if (is_locked (self, waiter->account))
    g_set_error (&error, BUS_ERROR, BUS_ERROR_KEYRING, "the keyring stays locked: %s",
                 self->refusal != NULL ? self->refusal
                                       : "the prompt was dismissed, or could not be shown");
  waiter->done (error, waiter->data);
  waiter_free (waiter);
}

static void
on_unlocked (GObject *source, GAsyncResult *result, gpointer data)
{
  Secrets *self = data;
  g_autoptr (GError) error = NULL;

  secret_service_unlock_finish (SECRET_SERVICE (source), result, NULL, &error);
  self->unlocking = FALSE;
  g_free (self->refusal);
  self->refusal = error != NULL ? g_strdup (error->message) : NULL;
  if (self->answer != NULL)
    read_all (self);
  advance (self);
  secrets_unref (self);
}

static void
on_service_for_unlock (GObject *source, GAsyncResult *result, gpointer data)
{
  Secrets *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SecretService) service = secret_service_get_finish (result, &error);
  GList *objects = NULL;

  for (guint i = 0; i < self->wants->len; i++) {
    Want *want = g_ptr_array_index (self->wants, i);
    if (has_waiter (self, want->account) || self->waiters->len == 0)
      objects = g_list_concat (objects, g_list_copy (want->locked));
  }
  if (service != NULL && objects != NULL) {
    /* Without cancellable, and for as long as the user takes. */
    secret_service_unlock (service, objects, NULL, on_unlocked, self);
  } else {
    self->unlocking = FALSE;
    g_free (self->refusal);
    self->refusal = g_strdup (error != NULL ? error->message : "it does not answer");
    advance (self);
    secrets_unref (self);
  }
  g_list_free (objects);
}

static void
begin_unlock (Secrets *self)
{
  self->unlocking = TRUE;
  for (guint i = 0; i < self->waiters->len; i++)
    ((Waiter *)g_ptr_array_index (self->waiters, i))->asked = TRUE;
  secret_service_get (SECRET_SERVICE_NONE, NULL, on_service_for_unlock, secrets_ref (self));
}

static gboolean
is_kwallet (guint32 pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%" G_GUINT32_FORMAT "/comm", pid);
  g_autofree char *name = NULL;

  return g_file_get_contents (path, &name, NULL, NULL) &&
         (g_str_has_prefix (name, "kwalletd") || g_str_has_prefix (name, "ksecretd"));
}

static void
on_owner_pid (GObject *source, GAsyncResult *result, gpointer data)
{
  Secrets *self = data;
  g_autoptr (GVariant) reply =
      g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, NULL);
  guint32 pid = 0;

  if (reply != NULL)
    g_variant_get (reply, "(u)", &pid);
  if (self->answer != NULL && !self->unlocking && is_kwallet (pid))
    begin_unlock (self);
  secrets_unref (self);
}

/* KWallet says that it is locked until somebody asks it to unlock, also where the login opened it;
 * then nobody sees a prompt. So it is asked, once. */
static void
try_wallet (Secrets *self)
{
  gboolean locked = FALSE;

  for (guint i = 0; i < self->wants->len; i++)
    locked = locked || ((Want *)g_ptr_array_index (self->wants, i))->locked != NULL;
  if (!locked || self->had_wallet || self->connection == NULL)
    return;
  self->had_wallet = TRUE;
  g_dbus_connection_call (self->connection, DAEMON, "/org/freedesktop/DBus", DAEMON,
                          "GetConnectionUnixProcessID", g_variant_new ("(s)", SERVICE_NAME),
                          G_VARIANT_TYPE ("(u)"), G_DBUS_CALL_FLAGS_NONE, -1, NULL, on_owner_pid,
                          secrets_ref (self));
}

/* Whoever can be answered is; then whoever came while a prompt was open has its turn. */
static void
advance (Secrets *self)
{
  if (self->answer == NULL || self->unlocking || self->reading > 0 || self->connecting)
    return;
  for (guint i = 0; i < self->waiters->len;) {
    Waiter *waiter = g_ptr_array_index (self->waiters, i);

    if (waiter->asked || !is_locked (self, waiter->account))
      answer_waiter (self, i);
    else
      i++;
  }
  if (self->waiters->len > 0)
    begin_unlock (self);
  else
    try_wallet (self);
}

/* --- the bus --------------------------------------------------------------------------------- */

static gboolean
on_burst (gpointer data)
{
  Secrets *self = data;

  self->burst = 0;
  read_all (self);
  return G_SOURCE_REMOVE;
}

static void
look_again (Secrets *self)
{
  if (self->burst == 0)
    self->burst = g_timeout_add (BURST, on_burst, self);
}

static void
on_signal (GDBusConnection *connection, const char *sender, const char *path, const char *iface,
           const char *name, GVariant *parameters, gpointer data)
{
  look_again (data);
}

static void
on_appeared (GDBusConnection *connection, const char *name, const char *owner, gpointer data)
{
  Secrets *self = data;

  self->had_wallet = FALSE;
  look_again (self);
}

static void
disconnect (Secrets *self)
{
  if (self->connection == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (self->signals); i++)
    g_dbus_connection_signal_unsubscribe (self->connection, self->signals[i]);
  g_clear_handle_id (&self->watch, g_bus_unwatch_name);
  g_signal_handlers_disconnect_by_data (self->connection, self);
  g_clear_object (&self->connection);
  secret_service_disconnect ();
}

static void
on_closed (GDBusConnection *connection, gboolean remote, GError *error, gpointer data)
{
  disconnect (data);
}

static guint
subscribe (Secrets *self, const char *iface, const char *member, const char *arg0)
{
  return g_dbus_connection_signal_subscribe (self->connection, SERVICE_NAME, iface, member, NULL,
                                             arg0, G_DBUS_SIGNAL_FLAGS_NONE, on_signal, self, NULL);
}

static void
on_connected (GObject *source, GAsyncResult *result, gpointer data)
{
  Secrets *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) connection = bus_connect_finish (result, &error);

  self->connecting = FALSE;
  if (connection == NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    g_message ("no keyring without the session bus: %s", error->message);
  if (connection != NULL && self->answer != NULL) {
    self->connection = g_steal_pointer (&connection);
    self->signals[0] = subscribe (self, "org.freedesktop.Secret.Service", NULL, NULL);
    self->signals[1] = subscribe (self, "org.freedesktop.Secret.Collection", NULL, NULL);
    self->signals[2] = subscribe (self, "org.freedesktop.DBus.Properties", "PropertiesChanged",
                                  "org.freedesktop.Secret.Collection");
    self->watch = g_bus_watch_name_on_connection (self->connection, SERVICE_NAME,
                                                  G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared, NULL,
                                                  self, NULL);
    g_signal_connect (self->connection, "closed", G_CALLBACK (on_closed), self);
  }
  if (self->answer != NULL)
    read_all (self);
  advance (self);
  secrets_unref (self);
}

static void
ensure_connection (Secrets *self)
{
  if (self->connection != NULL || self->connecting)
    return;
  self->connecting = TRUE;
  bus_connect (G_BUS_TYPE_SESSION, on_connected, secrets_ref (self));
}

/* --- public ---------------------------------------------------------------------------------- */

Secrets *
secrets_new (SecretsAnswer answer, gpointer data)
{
  Secrets *self = g_rc_box_new0 (Secrets);

  self->answer = answer;
  self->data = data;
  self->wants = g_ptr_array_new_with_free_func (want_unref);
  self->waiters = g_ptr_array_new ();
  return self;
}

void
secrets_free (Secrets *self)
{
  if (self == NULL)
    return;
  self->answer = NULL;
  g_clear_handle_id (&self->burst, g_source_remove);
  g_clear_handle_id (&self->retry, g_source_remove);
  while (self->waiters->len > 0)
    answer_waiter (self, 0);
  disconnect (self);
  secrets_unref (self);
}

void
secrets_want (Secrets *self, const char *account, Side side)
{
  Want *want = NULL;

  for (guint i = 0; i < self->wants->len && want == NULL; i++) {
    Want *known = g_ptr_array_index (self->wants, i);
    if (known->side == side && g_str_equal (known->account, account))
      want = known;
  }
  if (want == NULL) {
    want = g_rc_box_new0 (Want);
    want->secrets = self;
    want->account = g_strdup (account);
    want->side = side;
    g_ptr_array_add (self->wants, want);
  }
  want->told = FALSE;
  ensure_connection (self);
  read_want (want);
}

void
secrets_forget (Secrets *self, const char *account)
{
  for (guint i = self->wants->len; i-- > 0;) {
    Want *want = g_ptr_array_index (self->wants, i);
    if (!g_str_equal (want->account, account))
      continue;
    want->forgotten = TRUE;
    g_ptr_array_remove_index (self->wants, i);
  }
}

void
secrets_reconnect (Secrets *self)
{
  if (self->wants->len > 0)
    ensure_connection (self);
}

void
secrets_unlock (Secrets *self, const char *account, SecretsUnlocked done, gpointer data)
{
  Waiter *waiter = g_new0 (Waiter, 1);

  waiter->account = g_strdup (account);
  waiter->done = done;
  waiter->data = data;
  g_ptr_array_add (self->waiters, waiter);
  advance (self);
}
