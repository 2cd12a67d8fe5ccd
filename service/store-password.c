/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "store-password.h"

#include "secret-item.h"
#include "session-bus.h"
#include "terminal.h"

#include <glib/gi18n.h>

static SecretService *
open_service (GError **error)
{
  g_autoptr (GError) local = NULL;
  SecretService *service = NULL;

  if (!bus_is_known ()) {
    imapsync_fail (error, IMAPSYNC_ERROR_KEYRING,
                   "there is no session bus, and so no keyring to put the password into");
    return NULL;
  }
  service = secret_service_get_sync (SECRET_SERVICE_OPEN_SESSION, NULL, &local);
  if (service == NULL)
    imapsync_fail (error, IMAPSYNC_ERROR_KEYRING, "no keyring answers on the session bus: %s",
                   local->message);
  return service;
}

/* Those that may show a dialog have no cancellable, which gnome-keyring does not survive. */

static SecretCollection *
make_collection (SecretService *service, GError **error)
{
  g_autoptr (GError) local = NULL;
  SecretCollection *collection =
      secret_collection_create_sync (service, "Default keyring", SECRET_COLLECTION_DEFAULT,
                                     SECRET_COLLECTION_CREATE_NONE, NULL, &local);

  if (collection == NULL)
    imapsync_fail (
        error, IMAPSYNC_ERROR_KEYRING, "there is no default keyring, and none was made: %s",
        local != NULL ? local->message : "the question was dismissed, or could not be shown");
  return collection;
}

static gboolean
unlock (SecretService *service, SecretCollection *collection, GError **error)
{
  g_autoptr (GError) local = NULL;
  GList *objects = g_list_prepend (NULL, collection), *unlocked = NULL;
  gboolean ok = secret_service_unlock_sync (service, objects, NULL, &unlocked, &local) > 0;

  g_list_free (objects);
  g_list_free_full (unlocked, g_object_unref);
  if (ok)
    return TRUE;
  return imapsync_fail (error, IMAPSYNC_ERROR_KEYRING, "the keyring stays locked: %s",
                        local != NULL ? local->message
                                      : "the prompt was dismissed, or could not be shown");
}

static SecretCollection *
open_collection (SecretService *service, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (SecretCollection) collection = secret_collection_for_alias_sync (
      service, SECRET_COLLECTION_DEFAULT, SECRET_COLLECTION_NONE, NULL, &local);

  if (local != NULL) {
    imapsync_fail (error, IMAPSYNC_ERROR_KEYRING, "the default keyring cannot be asked for: %s",
                   local->message);
    return NULL;
  }
  if (collection == NULL)
    return make_collection (service, error);
  if (secret_collection_get_locked (collection) && !unlock (service, collection, error))
    return NULL;
  return g_steal_pointer (&collection);
}

/* KWallet takes a "/" for a folder. (transfer full) */
static char *
make_label (const ServerSettings *server)
{
  g_autofree char *name = server_settings_describe (server);

  return g_strconcat (PACKAGE_NAME ": ", g_strdelimit (name, "/", '-'), NULL);
}

/* Else the next one to ask would have to choose. What cannot be deleted is older than ours, and so
 * not chosen. */
static void
delete_others (SecretService *service, GHashTable *attributes, SecretItem *ours)
{
  GList *items = secret_service_search_sync (service, &secret_item_schema, attributes,
                                             SECRET_SEARCH_ALL, NULL, NULL);

  for (GList *l = items; l != NULL; l = l->next) {
    if (g_strcmp0 (g_dbus_proxy_get_object_path (l->data),
                   g_dbus_proxy_get_object_path (G_DBUS_PROXY (ours))) != 0 &&
        !secret_item_get_locked (l->data))
      secret_item_delete_sync (l->data, NULL, NULL);
  }
  g_list_free_full (items, g_object_unref);
}

static gboolean
store (SecretService *service, SecretCollection *collection, const AccountConfig *config, Side side,
       Password *password, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GHashTable) attributes = secret_item_attributes (config->id, side);
  g_autofree char *label = make_label (config->server[side]);
  g_autoptr (SecretValue) value = secret_value_new (password_text (password), -1, "text/plain");
  g_autoptr (SecretItem) item =
      secret_item_create_sync (collection, &secret_item_schema, attributes, label, value,
                               SECRET_ITEM_CREATE_REPLACE, NULL, &local);

  if (item == NULL)
    return imapsync_fail (error, IMAPSYNC_ERROR_KEYRING,
                          "the keyring did not take the password: %s",
                          local != NULL ? local->message : "a question was dismissed");
  delete_others (service, attributes, item);
  return TRUE;
}

/* The keyring comes first: nobody shall type a password that goes nowhere. */
static gboolean
ask_and_store (const AccountConfig *config, Side side, const char *name, GError **error)
{
  g_autofree char *prompt = g_strdup_printf (_ ("Password of %s (%s): "), name, side_name (side));
  g_autoptr (SecretService) service = open_service (error);
  g_autoptr (SecretCollection) collection =
      service != NULL ? open_collection (service, error) : NULL;
  g_autoptr (Password) password = collection != NULL ? terminal_ask_secret (prompt, error) : NULL;

  return password != NULL && store (service, collection, config, side, password, error);
}

gboolean
store_password_value (const AccountConfig *config, Side side, Password *password, GError **error)
{
  g_autoptr (SecretService) service = open_service (error);
  g_autoptr (SecretCollection) collection =
      service != NULL ? open_collection (service, error) : NULL;
  gboolean ok = collection != NULL && store (service, collection, config, side, password, error);

  secret_service_disconnect ();
  return ok;
}

gboolean
store_password (const AccountConfig *config, Side side, GError **error)
{
  const ServerSettings *server = config->server[side];
  g_autofree char *name = server_settings_describe (server);
  gboolean ok = ask_and_store (config, side, name, error);

  secret_service_disconnect ();
  if (!ok)
    return FALSE;
  g_message ("the password of %s is in the keyring", name);
  if (!server_settings_lacks_password (server))
    g_warning ("it is not used: [%s] in %s %s", side_name (side), config->path,
               server->password != NULL || server->password_command != NULL
                   ? "says itself what the password is"
                   : "needs no password");
  return TRUE;
}
