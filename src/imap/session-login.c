/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "imap/session-private.h"

#include <string.h>

#define MAX_FOREIGN_TEXT    300
#define MAX_CAPABILITY_TEXT 4000

typedef struct {
  const char *word;
  ImapCapability capability;
} CapabilityName;

static const CapabilityName capability_names[] = {
    {"BINARY", IMAP_CAP_BINARY},
    {"COMPRESS=DEFLATE", IMAP_CAP_COMPRESS_DEFLATE},
    {"CONDSTORE", IMAP_CAP_CONDSTORE},
    {"ENABLE", IMAP_CAP_ENABLE},
    {"ESEARCH", IMAP_CAP_ESEARCH},
    {"ID", IMAP_CAP_ID},
    {"IDLE", IMAP_CAP_IDLE},
    {"LIST-EXTENDED", IMAP_CAP_LIST_EXTENDED},
    {"LIST-STATUS", IMAP_CAP_LIST_STATUS},
    {"LITERAL+", IMAP_CAP_LITERAL_PLUS},
    {"LOGINDISABLED", IMAP_CAP_LOGINDISABLED},
    {"MOVE", IMAP_CAP_MOVE},
    {"MULTIAPPEND", IMAP_CAP_MULTIAPPEND},
    {"NAMESPACE", IMAP_CAP_NAMESPACE},
    {"NOTIFY", IMAP_CAP_NOTIFY},
    {"OBJECTID", IMAP_CAP_OBJECTID},
    {"QRESYNC", IMAP_CAP_QRESYNC | IMAP_CAP_CONDSTORE}, /* RFC 7162, section 3.2.3 */
    {"SASL-IR", IMAP_CAP_SASL_IR},
    {"SPECIAL-USE", IMAP_CAP_SPECIAL_USE},
    {"STARTTLS", IMAP_CAP_STARTTLS},
    {"UIDPLUS", IMAP_CAP_UIDPLUS},
    {"UNSELECT", IMAP_CAP_UNSELECT},
};

static const CapabilityName required[] = {
    {"ENABLE", IMAP_CAP_ENABLE},
    {"QRESYNC", IMAP_CAP_QRESYNC},
    {"LIST-EXTENDED", IMAP_CAP_LIST_EXTENDED},
    {"LIST-STATUS", IMAP_CAP_LIST_STATUS},
    {"UIDPLUS", IMAP_CAP_UIDPLUS},
};

static void
add_mechanism (ImapSession *session, const char *name)
{
  for (guint m = 0; m < N_AUTH_MECHANISMS; m++)
    if (g_ascii_strcasecmp (name, auth_mechanism_name (m)) == 0)
      session->auth_offered |= 1u << m;
  if (session->auth_names->len < MAX_FOREIGN_TEXT)
    g_string_append_printf (session->auth_names, "%s%.40s", session->auth_names->len > 0 ? " " : "",
                            name);
}

void
login_set_capabilities (ImapSession *session, const char *const *words, gsize n_words)
{
  ImapCapability capabilities = session->capabilities & IMAP_CAP_X_GUID;

  session->auth_offered = 0;
  g_string_truncate (session->auth_names, 0);
  g_string_truncate (session->capability_words, 0);
  for (gsize i = 0; i < n_words; i++) {
    if (session->capability_words->len < MAX_CAPABILITY_TEXT)
      g_string_append_printf (session->capability_words, "%s%.80s", i > 0 ? " " : "", words[i]);
    if (g_ascii_strncasecmp (words[i], "AUTH=", 5) == 0)
      add_mechanism (session, words[i] + 5);
    else if (g_ascii_strncasecmp (words[i], "APPENDLIMIT", 11) == 0)
      capabilities |= IMAP_CAP_APPENDLIMIT;
    for (gsize j = 0; j < G_N_ELEMENTS (capability_names); j++)
      if (g_ascii_strcasecmp (words[i], capability_names[j].word) == 0)
        capabilities |= capability_names[j].capability;
  }
  session->capabilities = capabilities;
  session->capabilities_known = TRUE;
}

static void
login_forget (ImapSession *session)
{
  session->capabilities = 0;
  session->capabilities_known = FALSE;
  session->asked_capabilities = FALSE;
  session->qresync_enabled = FALSE;
  session->auth_offered = 0;
  g_string_truncate (session->auth_names, 0);
  g_string_truncate (session->capability_words, 0);
}

static Entry *
login_send (ImapSession *session, ImapCommand *command, LoginStep step)
{
  Entry *entry = entry_new (ENTRY_LOGIN, command);

  entry->step = step;
  session_send (session, entry);
  return entry;
}

const char *
login_shown (const ImapSession *session, const char *text)
{
  return session->auth != NULL && imap_auth_is_repeated (session->auth, text) ? NULL : text;
}

/* "[CODE] text", as the server put it. (transfer full) */
static char *
servers_words (const ImapSession *session, const ImapResponse *response)
{
  const char *text = login_shown (session, response->text != NULL ? response->text : "");

  if (text == NULL)
    text = "(words that repeat the password)";

  if (response->code.name == NULL)
    return g_strdup_printf ("%.*s", MAX_FOREIGN_TEXT, text);
  return g_strdup_printf ("[%s] %.*s", response->code.name, MAX_FOREIGN_TEXT, text);
}

/* FALSE, and the end of the session, when the server did not say OK to @what. */
static gboolean
login_expect_ok (ImapSession *session, const ImapResponse *tagged, const char *what)
{
  g_autofree char *words = NULL;

  if (tagged->type == IMAP_RESPONSE_OK)
    return TRUE;
  words = servers_words (session, tagged);
  session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL, "the server refused %s: %s", what, words);
  return FALSE;
}

static void
login_finish_if_answered (ImapSession *session)
{
  if (--session->login_pending > 0)
    return;
  if (!session->qresync_enabled)
    session_fail_printf (session, IMAPSYNC_ERROR_CAPABILITY,
                         "the server offers QRESYNC but did not enable it");
}

static void
on_id (ImapSession *session, const ImapResponse *tagged)
{
  login_finish_if_answered (session);
}

static void
on_enable (ImapSession *session, const ImapResponse *tagged)
{
  if (login_expect_ok (session, tagged, "ENABLE QRESYNC"))
    login_finish_if_answered (session);
}

static void
login_enable (ImapSession *session)
{
  ImapCommand *command;

  session->login_pending = 1;
  if (imap_session_has (session, IMAP_CAP_ID)) {
    session->login_pending++;
    command = imap_command_new ("ID");
    imap_command_raw (command, "NIL");
    login_send (session, command, on_id);
  }
  command = imap_command_new ("ENABLE");
  imap_command_raw (command, "QRESYNC");
  login_send (session, command, on_enable);
  /* What is not a login goes right behind: these two are answered first, and a refusal ends all. */
  session->login = LOGIN_DONE;
  session_set_stage (session, NULL);
  session_set_state (session, IMAP_SESSION_READY);
}

static void
on_compress (ImapSession *session, const ImapResponse *tagged)
{
  if (tagged->type == IMAP_RESPONSE_OK) {
    /* The stream changes right behind the line, whatever was read in one piece with it. */
    session_close_io (session);
    transport_compress (session->transport, session->buffer + session->filled - session->unparsed,
                        session->unparsed);
    session->io_open = TRUE;
    session_watch_input (session);
  }
  login_enable (session);
}

/* After the login, so that no secret is ever compressed together with what others chose. */
static void
login_compress (ImapSession *session)
{
  ImapCommand *command;

  if (!session->server->compress || !imap_session_has (session, IMAP_CAP_COMPRESS_DEFLATE)) {
    login_enable (session);
    return;
  }
  command = imap_command_new ("COMPRESS");
  imap_command_raw (command, "DEFLATE");
  login_send (session, command, on_compress);
}

static void
login_check (ImapSession *session)
{
  g_autoptr (GString) missing = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (required); i++)
    if (!imap_session_has (session, required[i].capability))
      g_string_append_printf (missing, "%s%s", missing->len > 0 ? ", " : "", required[i].word);
  if (missing->len > 0)
    session_fail_printf (session, IMAPSYNC_ERROR_CAPABILITY,
                         "the server lacks what imapsync needs: %s", missing->str);
  else
    login_compress (session);
}

static void login_authenticate (ImapSession *session);
static void login_starttls (ImapSession *session);

/* For people who want to see it; the policy was checked by the handshake. */
static void
note_tls (ImapSession *session)
{
  GTlsConnection *tls = transport_tls (session->transport);

  if (tls == NULL || session->certificate != NULL)
    return;
  g_set_object (&session->certificate, g_tls_connection_get_peer_certificate (tls));
  session->tls_version = g_tls_connection_get_protocol_version (tls);
}

/* The three places that need the capabilities, each before or after asking for them. */
static void
login_go_on (ImapSession *session)
{
  note_tls (session);
  if (session->login == LOGIN_AUTHENTICATED)
    login_check (session);
  else if (session->server->type == SERVER_IMAP && session->server->starttls &&
           !transport_is_encrypted (session->transport))
    login_starttls (session);
  else
    login_authenticate (session);
}

static void
on_capability (ImapSession *session, const ImapResponse *tagged)
{
  if (!login_expect_ok (session, tagged, "CAPABILITY"))
    return;
  if (session->capabilities_known)
    login_go_on (session);
  else
    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                         "the server does not tell its capabilities");
}

static void
login_ask_capabilities (ImapSession *session)
{
  session->capabilities_known = FALSE;
  session->asked_capabilities = TRUE;
  login_send (session, imap_command_new ("CAPABILITY"), on_capability);
}

static void
login_with_capabilities (ImapSession *session)
{
  if (session->capabilities_known)
    login_go_on (session);
  else
    login_ask_capabilities (session);
}

void
login_forget_secrets (ImapSession *session)
{
  g_clear_pointer (&session->auth, imap_auth_free);
  g_clear_pointer (&session->password, password_unref);
}

static void
login_authenticated (ImapSession *session)
{
  session->login = LOGIN_AUTHENTICATED;
  login_forget_secrets (session);
  login_with_capabilities (session);
}

/* RFC 5530: these say nothing about the password, so that another attempt later is right. */
static gboolean
is_temporary (ImapCodeType code)
{
  return code == IMAP_CODE_UNAVAILABLE || code == IMAP_CODE_INUSE || code == IMAP_CODE_LIMIT ||
         code == IMAP_CODE_SERVERBUG;
}

static const char *
login_password (const ImapSession *session)
{
  return password_text (session->password != NULL ? session->password : session->server->password);
}

static void
login_take_password (ImapSession *session, const char *secret)
{
  password_unref (session->password);
  session->password = password_new (secret);
}

static void login_send_authenticate (ImapSession *session);

static void
on_new_token (const char *secret, const GError *error, gpointer data)
{
  ImapSession *session = data;

  session_hold (session);
  g_clear_pointer (&session->password_command, password_command_free);
  if (error != NULL) {
    session_fail_printf (session, error->code, "the password-command %s", error->message);
  } else if (strcmp (secret, login_password (session)) == 0) {
    session_fail_printf (session, IMAPSYNC_ERROR_AUTH,
                         "the server refused the token, and the password-command has no other");
  } else {
    login_take_password (session, secret);
    session_set_stage (session, "login");
    login_send_authenticate (session);
  }
  session_release (session);
}

/* A token may have expired where the command keeps it; asked again, it gets a new one. */
static gboolean
login_asks_again (ImapSession *session)
{
  if (session->asked_again || session->password == NULL || session->bye != NULL ||
      !auth_mechanism_has_token (session->mechanism))
    return FALSE;
  session->asked_again = TRUE;
  g_clear_pointer (&session->auth, imap_auth_free);
  session_set_stage (session, NULL);
  g_main_context_push_thread_default (session->context);
  session->password_command = password_command_start (
      session->server->password_command, MAX (session->server->timeout, 1), on_new_token, session);
  g_main_context_pop_thread_default (session->context);
  return TRUE;
}

static void
on_authenticate (ImapSession *session, const ImapResponse *tagged)
{
  g_autofree char *words = NULL;

  if (tagged->type == IMAP_RESPONSE_OK && !imap_auth_is_proven (session->auth)) {
    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                         "the server says that the login is done without having proved that it "
                         "knows the password; it is not to be trusted");
    return;
  }
  if (tagged->type == IMAP_RESPONSE_OK) {
    login_authenticated (session);
    return;
  }
  if (!is_temporary (tagged->code.type) && login_asks_again (session))
    return;
  words = servers_words (session, tagged);
  session_fail_printf (
      session, is_temporary (tagged->code.type) ? IMAPSYNC_ERROR_REFUSED : IMAPSYNC_ERROR_AUTH,
      "the server refused the login: %s", words);
}

void
login_continue (ImapSession *session, Entry *entry, const char *challenge)
{
  g_autoptr (GError) error = NULL;
  char *answer;

  if (session->auth == NULL) {
    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                         "the server asks for more (\"+\") though nothing was announced");
    return;
  }
  answer = imap_auth_respond (session->auth, challenge, &error);
  if (answer == NULL) {
    session_fail_printf (session, error->code, "%s", error->message);
    return;
  }
  session_trace (session, 'C', "***");
  session_put_secret (session, answer, strlen (answer));
  session_put (session, "\r\n", 2);
  secret_wipe (answer);
  session->plus = entry;
}

/* Not in clear text over a network, but where the configuration names the mechanism itself, and
 * turns TLS off. */
static gboolean
login_may_show (ImapSession *session, AuthMechanism mechanism)
{
  return !auth_mechanism_shows_secret (mechanism) || transport_is_private (session->transport) ||
         (session->server->auth_chosen && session->server->type == SERVER_IMAP &&
          !session->server->starttls);
}

/* @exposed: one was left out that would have shown the password. */
static gboolean
login_choose (ImapSession *session, AuthMechanism *mechanism, gboolean *exposed)
{
  const GArray *wanted = session->server->auth;
  gboolean is_unique;
  g_autofree char *binding = transport_binding (session->transport, &is_unique);

  *exposed = FALSE;
  for (guint i = 0; i < wanted->len; i++) {
    *mechanism = g_array_index (wanted, AuthMechanism, i);
    if (!(session->auth_offered & (1u << *mechanism)) ||
        (auth_mechanism_needs_binding (*mechanism) && binding == NULL))
      continue;
    if (login_may_show (session, *mechanism))
      return TRUE;
    *exposed = TRUE;
  }
  return FALSE;
}

static void
login_no_mechanism (ImapSession *session, gboolean exposed)
{
  g_autoptr (GString) wanted = g_string_new (NULL);

  if (exposed) {
    session_fail_printf (session, IMAPSYNC_ERROR_AUTH,
                         "the server only offers logins that would show the password to everybody "
                         "in between (%s); STARTTLS=YES hides it, auth=PLAIN would allow it",
                         session->auth_names->str);
    return;
  }
  for (guint i = 0; i < session->server->auth->len; i++)
    g_string_append_printf (
        wanted, "%s%s", i > 0 ? " " : "",
        auth_mechanism_name (g_array_index (session->server->auth, AuthMechanism, i)));
  session_fail_printf (session, IMAPSYNC_ERROR_AUTH,
                       "the server offers none of the configured login mechanisms (%s), but %s",
                       wanted->str,
                       session->auth_names->len > 0 ? session->auth_names->str : "none");
}

/* FALSE, and the end of the session, where no login is possible at all. */
static gboolean
login_is_possible (ImapSession *session)
{
  const ServerSettings *server = session->server;

  if (!imap_session_has (session, IMAP_CAP_LOGINDISABLED) ||
      transport_is_encrypted (session->transport))
    return TRUE;
  session_fail_printf (session, IMAPSYNC_ERROR_AUTH,
                       "the server allows no login on this connection (LOGINDISABLED)%s",
                       server->type == SERVER_IMAP ? "; it may with STARTTLS = YES" : "");
  return FALSE;
}

/* FALSE, and the end of the session, where @mechanism needs what is not there. */
static gboolean
login_has_credentials (ImapSession *session, AuthMechanism mechanism)
{
  const char *lacking = NULL;

  if (auth_mechanism_needs_password (mechanism))
    lacking = session->server->username == NULL  ? "username"
              : login_password (session) == NULL ? "password"
                                                 : NULL;
  if (lacking == NULL)
    return TRUE;
  session_fail_printf (session, IMAPSYNC_ERROR_CONFIG,
                       "the server wants a login, but no %s is configured in [%s]", lacking,
                       side_name (session->server->side));
  return FALSE;
}

static ImapAuth *
login_new_auth (ImapSession *session, AuthMechanism mechanism, GError **error)
{
  const ServerSettings *server = session->server;
  gboolean is_unique = FALSE;
  g_autofree char *binding = transport_binding (session->transport, &is_unique);
  const AuthCredentials credentials = {
      .username = server->username,
      .password = login_password (session),
      .host = server->host,
      .port = server->port,
      .binding = binding,
      .binding_is_unique = is_unique,
  };

  return imap_auth_new (mechanism, &credentials, error);
}

/* "=" stands for an empty first answer (RFC 4959). */
static void
login_add_initial (ImapSession *session, ImapCommand *command)
{
  char *initial;

  if (!imap_auth_is_client_first (session->auth) || !imap_session_has (session, IMAP_CAP_SASL_IR))
    return;
  initial = imap_auth_respond (session->auth, NULL, NULL);
  if (initial != NULL)
    imap_command_secret (command, *initial != '\0' ? initial : "=");
  secret_wipe (initial);
}

static void
login_send_authenticate (ImapSession *session)
{
  g_autoptr (GError) error = NULL;
  ImapCommand *command;

  session->auth = login_new_auth (session, session->mechanism, &error);
  if (session->auth == NULL) {
    session_fail_printf (session, error->code, "%s", error->message);
    return;
  }
  command = imap_command_new ("AUTHENTICATE");
  imap_command_raw (command, auth_mechanism_name (session->mechanism));
  login_add_initial (session, command);
  session->plus = login_send (session, command, on_authenticate);
}

static void
login_authenticate (ImapSession *session)
{
  gboolean exposed;

  /* A greeting may show a short list: Cyrus with TLS. */
  if (!login_choose (session, &session->mechanism, &exposed) && !session->asked_capabilities) {
    login_ask_capabilities (session);
    return;
  }
  if (!login_is_possible (session))
    return;
  if (!login_choose (session, &session->mechanism, &exposed)) {
    login_no_mechanism (session, exposed);
    return;
  }
  if (!login_has_credentials (session, session->mechanism))
    return;
  login_send_authenticate (session);
  session->capabilities_known = FALSE;
}

static void
on_password (const char *secret, const GError *error, gpointer data)
{
  ImapSession *session = data;

  session_hold (session);
  g_clear_pointer (&session->password_command, password_command_free);
  if (error != NULL) {
    session_fail_printf (session, error->code, "the password-command %s", error->message);
  } else {
    login_take_password (session, secret);
    session_schedule (session);
  }
  session_release (session);
}

gboolean
login_has_password (ImapSession *session)
{
  const ServerSettings *server = session->server;

  if (server->password_command == NULL || server->password != NULL || session->password != NULL)
    return TRUE;
  if (session->password_command != NULL)
    return FALSE;
  /* Before connecting: it may ask somebody, and no server waits for long. */
  g_main_context_push_thread_default (session->context);
  session->password_command = password_command_start (
      server->password_command, MAX (server->timeout, 1), on_password, session);
  g_main_context_pop_thread_default (session->context);
  return FALSE;
}

static void
on_upgraded (Transport *transport, const GError *error, gpointer data)
{
  ImapSession *session = data;

  session_hold (session);
  if (error != NULL) {
    session_fail (session, g_error_copy (error));
  } else {
    login_forget (session);
    session_set_stage (session, "login");
    session_open_io (session);
    login_ask_capabilities (session);
  }
  session_release (session);
}

static void
on_starttls (ImapSession *session, const ImapResponse *tagged)
{
  g_autofree char *words = servers_words (session, tagged);

  if (tagged->type != IMAP_RESPONSE_OK) {
    session_fail_printf (session, IMAPSYNC_ERROR_CAPABILITY, "the server refused STARTTLS: %s",
                         words);
    return;
  }
  /* Whoever sits in between could otherwise put words into the server's mouth. */
  if (session->unparsed > 0) {
    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                         "something was sent in clear behind the answer to STARTTLS; "
                         "the connection is not to be trusted");
    return;
  }
  session_close_io (session);
  session_set_stage (session, "TLS handshake");
  transport_starttls (session->transport, on_upgraded, session);
}

static void
login_starttls (ImapSession *session)
{
  if (imap_session_has (session, IMAP_CAP_STARTTLS))
    login_send (session, imap_command_new ("STARTTLS"), on_starttls);
  else if (!session->asked_capabilities)
    login_ask_capabilities (session);
  else
    session_fail_printf (session, IMAPSYNC_ERROR_CAPABILITY,
                         "the server does not offer STARTTLS, and without it nothing is sent");
}

static void
on_preauth (ImapSession *session)
{
  if (session->server->type == SERVER_IMAP && session->server->starttls)
    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                         "the server greets as if logged in already, which makes STARTTLS "
                         "impossible; the connection is not to be trusted");
  else
    login_authenticated (session);
}

static void
on_greeting (ImapSession *session, const ImapResponse *response)
{
  g_autofree char *words = NULL;

  switch (response->type) {
  case IMAP_RESPONSE_OK:
  case IMAP_RESPONSE_PREAUTH:
    session->login = LOGIN_TALKING;
    session_set_stage (session, "login");
    if (response->code.type == IMAP_CODE_CAPABILITY)
      login_set_capabilities (session, response->words, response->n_words);
    if (response->type == IMAP_RESPONSE_PREAUTH)
      on_preauth (session);
    else
      login_with_capabilities (session);
    break;
  case IMAP_RESPONSE_BYE:
    words = servers_words (session, response);
    session_fail_printf (session, IMAPSYNC_ERROR_REFUSED, "the server refused the connection: %s",
                         words);
    break;
  default:
    if (!login_try_pipes (session))
      session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL, "no IMAP greeting, but \"%.*s\"",
                           MAX_FOREIGN_TEXT, imap_parser_line (session->parser));
    break;
  }
}

gboolean
login_broken_off (ImapSession *session)
{
  if (session->bye == NULL)
    return FALSE;
  session_fail_printf (session, IMAPSYNC_ERROR_REFUSED, "the server broke off the login: %s",
                       session->bye);
  return TRUE;
}

void
login_untagged (ImapSession *session, const ImapResponse *response)
{
  g_autofree char *words = NULL;

  if (session->login == LOGIN_GREETING) {
    on_greeting (session, response);
    return;
  }
  switch (response->type) {
  case IMAP_RESPONSE_BYE:
    /* A NO may follow, which would say that the password is wrong. */
    g_free (session->bye);
    session->bye = servers_words (session, response);
    if (session->auth == NULL)
      login_broken_off (session);
    break;
  case IMAP_RESPONSE_BAD:
    words = servers_words (session, response);
    session_fail_printf (session, IMAPSYNC_ERROR_PROTOCOL,
                         "the server did not understand the login: %s", words);
    break;
  case IMAP_RESPONSE_ENABLED:
    for (gsize i = 0; i < response->n_words; i++)
      if (g_ascii_strcasecmp (response->words[i], "QRESYNC") == 0)
        session->qresync_enabled = TRUE;
    break;
  case IMAP_RESPONSE_OTHER:
    if (strcmp (response->text, "ID") != 0)
      break;
    for (gsize i = 0; i + 1 < response->n_words; i += 2)
      if (g_ascii_strcasecmp (response->words[i], "name") == 0 &&
          g_ascii_strcasecmp (response->words[i + 1], "Dovecot") == 0)
        session->capabilities |= IMAP_CAP_X_GUID;
    break;
  default:
    break;
  }
}

static void
on_connected (Transport *transport, const GError *error, gpointer data)
{
  ImapSession *session = data;

  session_hold (session);
  if (error != NULL) {
    session_fail (session, g_error_copy (error));
  } else {
    session->login = LOGIN_GREETING;
    session_set_stage (session, "greeting");
    session_open_io (session);
  }
  session_release (session);
}

void
login_connect (ImapSession *session)
{
  g_main_context_push_thread_default (session->context);
  session->transport = transport_new (session->server, session->pipes);
  transport_connect (session->transport, on_connected, session);
  g_main_context_pop_thread_default (session->context);
}

gboolean
login_try_pipes (ImapSession *session)
{
  if (session->login != LOGIN_GREETING || !transport_may_use_pipes (session->transport))
    return FALSE;

  g_debug ("%s: no greeting over a socket pair; trying again over pipes", session->name);
  session_close_io (session);
  g_clear_pointer (&session->transport, transport_close);
  session_set_stage (session, NULL);
  session->pipes = TRUE;
  session->login = LOGIN_CONNECTING;
  session_schedule (session);
  return TRUE;
}
