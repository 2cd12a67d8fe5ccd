/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "session-fixture.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* How a server's name becomes a connection: several addresses, some of them dead, and what the
 * kernel is told about the socket. */

#define NAME "dual.example"
#define READY                                                                                      \
  "S: * PREAUTH [CAPABILITY IMAP4rev1 ENABLE QRESYNC LIST-EXTENDED LIST-STATUS UIDPLUS] hi\n"      \
  "C: a1 ENABLE QRESYNC\nS: * ENABLED QRESYNC\nS: a1 OK done\nC: a2 NOOP\nS: a2 OK done\nEOF"

/* --- a resolver that knows one name ------------------------------------------------------------
 */

typedef struct {
  GResolver parent;
} TestResolver;
typedef GResolverClass TestResolverClass;

static const char *const *addresses; /* of NAME, in the order of the answer */

GType test_resolver_get_type (void);
G_DEFINE_TYPE (TestResolver, test_resolver, G_TYPE_RESOLVER)

static void
lookup (GResolver *resolver, const char *name, GResolverNameLookupFlags flags,
        GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
  GTask *task = g_task_new (resolver, cancellable, callback, data);
  GList *found = NULL;

  for (guint i = 0; strcmp (name, NAME) == 0 && addresses[i] != NULL; i++) {
    const gboolean is_ipv6 = strchr (addresses[i], ':') != NULL;

    if ((flags & G_RESOLVER_NAME_LOOKUP_FLAGS_IPV4_ONLY && is_ipv6) ||
        (flags & G_RESOLVER_NAME_LOOKUP_FLAGS_IPV6_ONLY && !is_ipv6))
      continue;
    found = g_list_append (found, g_inet_address_new_from_string (addresses[i]));
  }
  if (found != NULL)
    g_task_return_pointer (task, found, (GDestroyNotify)g_resolver_free_addresses);
  else
    g_task_return_new_error (task, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND, "not found");
  g_object_unref (task);
}

static void
lookup_all (GResolver *resolver, const char *name, GCancellable *cancellable,
            GAsyncReadyCallback callback, gpointer data)
{
  lookup (resolver, name, G_RESOLVER_NAME_LOOKUP_FLAGS_DEFAULT, cancellable, callback, data);
}

static GList *
lookup_finish (GResolver *resolver, GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
test_resolver_class_init (TestResolverClass *class)
{
  class->lookup_by_name_async = lookup_all;
  class->lookup_by_name_finish = lookup_finish;
  class->lookup_by_name_with_flags_async = lookup;
  class->lookup_by_name_with_flags_finish = lookup_finish;
}

static void
test_resolver_init (TestResolver *resolver)
{
}

/* --- an address at which nobody answers ---------------------------------------------------------
 */

typedef struct {
  int listener;
  int fillers[8];
} BlackHole;

/* A listener whose queue is full: the kernel drops what else comes, as a dead router would. */
static void
black_hole_open (BlackHole *hole, guint16 port)
{
  const struct sockaddr_in6 address = {
      .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons (port)};
  const int on = 1;

  hole->listener = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (setsockopt (hole->listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), ==, 0);
  g_assert_cmpint (bind (hole->listener, (const struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint (listen (hole->listener, 0), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (hole->fillers); i++) {
    hole->fillers[i] = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    connect (hole->fillers[i], (const struct sockaddr *)&address, sizeof address);
  }
}

static void
black_hole_close (BlackHole *hole)
{
  for (gsize i = 0; i < G_N_ELEMENTS (hole->fillers); i++)
    close (hole->fillers[i]);
  close (hole->listener);
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void
set_host (Fixture *fixture, const char *host)
{
  g_free (fixture->server->host);
  fixture->server->host = g_strdup (host);
}

/* Our end of the connection to @port. */
static int
find_socket (guint16 port)
{
  for (int fd = 3; fd < 1024; fd++) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    in_port_t theirs;

    if (getpeername (fd, (struct sockaddr *)&peer, &length) < 0)
      continue;
    theirs = peer.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&peer)->sin6_port
                                        : ((struct sockaddr_in *)&peer)->sin_port;
    if (ntohs (theirs) == port)
      return fd;
  }
  return -1;
}

static int
option (int fd, int level, int name)
{
  int value = -1;
  socklen_t length = sizeof value;

  g_assert_cmpint (getsockopt (fd, level, name, &value, &length), ==, 0);
  return value;
}

static void
run_noop (Fixture *fixture)
{
  Reply reply = {0};

  queue (fixture, "NOOP", &reply);
  run_until (reply.calls > 0);
  g_assert_no_error (reply.error);
  reply_clear (&reply);
}

static void
test_what_the_kernel_is_told (void)
{
  Fixture fixture;
  int fd;

  fixture_init (&fixture);
  fixture_start (&fixture, READY);
  run_noop (&fixture);
  fd = find_socket (fixture.script.port);
  g_assert_cmpint (fd, >=, 0);
  /* The fixture's timeout is 20 seconds. */
  g_assert_cmpint (option (fd, SOL_SOCKET, SO_KEEPALIVE), ==, 1);
  g_assert_cmpint (option (fd, IPPROTO_TCP, TCP_KEEPIDLE), ==, 20);
  g_assert_cmpint (option (fd, IPPROTO_TCP, TCP_KEEPINTVL), ==, 5);
  g_assert_cmpint (option (fd, IPPROTO_TCP, TCP_KEEPCNT), ==, 4);
  g_assert_cmpint (option (fd, IPPROTO_TCP, TCP_USER_TIMEOUT), ==, 40000);
  g_assert_cmpint (option (fd, IPPROTO_TCP, TCP_NODELAY), ==, 1);
  fixture_clear (&fixture);
}

/* An address that refuses is passed over. */
static void
test_a_dead_address_is_passed_over (void)
{
  static const char *const both[] = {"::1", "127.0.0.1", NULL};
  Fixture fixture;

  addresses = both;
  fixture_init (&fixture);
  set_host (&fixture, NAME);
  fixture_start (&fixture, READY);
  run_noop (&fixture);
  fixture_clear (&fixture);
}

/* One that does not answer is not waited for: the connection is there long before its timeout,
 * which would end the session. */
static void
test_a_silent_address_is_not_waited_for (void)
{
  static const char *const both[] = {"::1", "127.0.0.1", NULL};
  Fixture fixture;
  BlackHole hole;

  addresses = both;
  fixture_init (&fixture);
  set_host (&fixture, NAME);
  script_start (&fixture.script, READY);
  fixture.server->port = fixture.script.port;
  black_hole_open (&hole, fixture.script.port);
  fixture_start (&fixture, NULL);
  run_noop (&fixture);
  black_hole_close (&hole);
  fixture_clear (&fixture);
}

static void
test_no_address_answers (void)
{
  static const char *const only[] = {"::1", NULL};
  Fixture fixture;
  BlackHole hole;
  guint16 port;

  addresses = only;
  fixture_init (&fixture);
  set_host (&fixture, NAME);
  fixture.server->timeout = 1;
  fixture.script.any_end = TRUE;
  script_start (&fixture.script, "EOF");
  port = fixture.server->port = fixture.script.port;
  black_hole_open (&hole, port);
  fixture_start (&fixture, NULL);
  fixture_run_error (&fixture, IMAPSYNC_ERROR_TIMEOUT, "no connection within 1 seconds");
  black_hole_close (&hole);
  fixture_clear (&fixture);
}

static void
test_ipv6_refusal_names_the_address (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  set_host (&fixture, "::1");
  fixture.server->port = 1;
  fixture_start (&fixture, NULL);
  fixture_run_error (&fixture, IMAPSYNC_ERROR_REFUSED, "user@[::1]:1: ");
  fixture_clear (&fixture);
}

int
main (int argc, char **argv)
{
  g_autoptr (GResolver) resolver = NULL;

  g_test_init (&argc, &argv, NULL);
  resolver = g_object_new (test_resolver_get_type (), NULL);
  g_resolver_set_default (resolver);
  g_test_add_func ("/transport/what-the-kernel-is-told", test_what_the_kernel_is_told);
  g_test_add_func ("/transport/a-dead-address-is-passed-over", test_a_dead_address_is_passed_over);
  g_test_add_func ("/transport/a-silent-address-is-not-waited-for",
                   test_a_silent_address_is_not_waited_for);
  g_test_add_func ("/transport/no-address-answers", test_no_address_answers);
  g_test_add_func ("/transport/ipv6-refusal-names-the-address",
                   test_ipv6_refusal_names_the_address);
  return g_test_run ();
}
