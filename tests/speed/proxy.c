/* SPDX-License-Identifier: GPL-3.0-or-later */

/* proxy PORT TARGET-PORT MILLISECONDS: passes connections on, each byte so much later in either
 * direction, with no limit on the rate. At its end (SIGTERM) it prints as JSON the bytes each way
 * and how often a client spoke after its server had: the round trips. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 16
#define CHUNK           (64 * 1024)
#define MAX_BUFFERED    (64 * 1024 * 1024) /* in one direction */

typedef struct Chunk {
  struct Chunk *next;
  long long due; /* nanoseconds */
  size_t start, end;
  char bytes[CHUNK];
} Chunk;

/* From the socket `from` to the socket `to`. */
typedef struct {
  int from, to;
  Chunk *head, **tail;
  size_t buffered;
  int ended, shut;
} Way;

typedef struct {
  int used;
  Way way[2]; /* up, down */
} Connection;

static Connection connections[MAX_CONNECTIONS];
static long long delay;
static unsigned long long bytes[2], round_trips, accepted;
static int last = 1;
static volatile sig_atomic_t ended;

static void
on_term (int number)
{
  (void)number;
  ended = 1;
}

static long long
now (void)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static struct sockaddr_in
loopback (int port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons ((unsigned short)port)};

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  return address;
}

static void
no_delay (int fd)
{
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof (int));
}

static void
begin (int client, int port)
{
  struct sockaddr_in address = loopback (port);
  int server = socket (AF_INET, SOCK_STREAM, 0);

  if (connect (server, (struct sockaddr *)&address, sizeof address) != 0) {
    close (server);
    close (client);
    return;
  }
  no_delay (client);
  no_delay (server);
  for (int i = 0; i < MAX_CONNECTIONS; i++) {
    Connection *connection = &connections[i];

    if (connection->used)
      continue;
    memset (connection, 0, sizeof *connection);
    connection->used = 1;
    connection->way[0].from = connection->way[1].to = client;
    connection->way[1].from = connection->way[0].to = server;
    for (int w = 0; w < 2; w++)
      connection->way[w].tail = &connection->way[w].head;
    accepted++;
    return;
  }
  close (server);
  close (client);
}

static void
take (Way *way, int which)
{
  Chunk *chunk = malloc (sizeof *chunk);
  ssize_t n = recv (way->from, chunk->bytes, CHUNK, MSG_DONTWAIT);

  if (n <= 0) {
    free (chunk);
    way->ended = n == 0 || (errno != EAGAIN && errno != EINTR);
    return;
  }
  chunk->next = NULL;
  chunk->due = now () + delay;
  chunk->start = 0;
  chunk->end = (size_t)n;
  *way->tail = chunk;
  way->tail = &chunk->next;
  way->buffered += (size_t)n;
  bytes[which] += (size_t)n;
  if (which == 0 && last == 1)
    round_trips++;
  last = which;
}

/* Passes on what is due. */
static void
give (Way *way)
{
  Chunk *chunk;

  while ((chunk = way->head) != NULL && chunk->due <= now ()) {
    ssize_t n = send (way->to, chunk->bytes + chunk->start, chunk->end - chunk->start,
                      MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (n < 0) {
      way->ended = 1;
      n = (ssize_t)(chunk->end - chunk->start);
    }
    chunk->start += (size_t)n;
    way->buffered -= (size_t)n;
    if (chunk->start < chunk->end)
      return;
    way->head = chunk->next;
    if (way->head == NULL)
      way->tail = &way->head;
    free (chunk);
  }
  if (way->ended && way->head == NULL && !way->shut) {
    shutdown (way->to, SHUT_WR);
    way->shut = 1;
  }
}

static void
serve (int listener, int port)
{
  while (!ended) {
    struct pollfd polls[1 + 2 * MAX_CONNECTIONS] = {{.fd = listener, .events = POLLIN}};
    long long wake = now () + 1000000000LL, left;
    struct timespec timeout;

    for (int i = 0; i < 2 * MAX_CONNECTIONS; i++) {
      Connection *connection = &connections[i / 2];
      Way *in = &connection->way[i % 2], *out = &connection->way[1 - i % 2];
      struct pollfd *one = &polls[1 + i];

      *one = (struct pollfd){.fd = -1};
      if (!connection->used)
        continue;
      if (!in->ended && in->buffered < MAX_BUFFERED)
        one->events |= POLLIN;
      if (out->head != NULL && out->head->due <= now ())
        one->events |= POLLOUT;
      else if (out->head != NULL && out->head->due < wake)
        wake = out->head->due;
      if (one->events != 0)
        one->fd = in->from;
    }
    left = wake - now ();
    left = left > 0 ? left : 0;
    timeout = (struct timespec){.tv_sec = left / 1000000000LL, .tv_nsec = left % 1000000000LL};
    if (ppoll (polls, 1 + 2 * MAX_CONNECTIONS, &timeout, NULL) < 0 && errno != EINTR)
      return;
    for (int i = 0; i < 2 * MAX_CONNECTIONS; i++) {
      if (polls[1 + i].fd >= 0 && polls[1 + i].revents & (POLLIN | POLLHUP | POLLERR) &&
          polls[1 + i].events & POLLIN)
        take (&connections[i / 2].way[i % 2], i % 2);
    }
    for (int i = 0; i < MAX_CONNECTIONS; i++) {
      Connection *connection = &connections[i];

      if (!connection->used)
        continue;
      give (&connection->way[0]);
      give (&connection->way[1]);
      if (connection->way[0].shut && connection->way[1].shut) {
        close (connection->way[0].from);
        close (connection->way[1].from);
        connection->used = 0;
      }
    }
    if (polls[0].revents & POLLIN)
      begin (accept (listener, NULL, NULL), port);
  }
}

int
main (int argc, char **argv)
{
  struct sigaction action = {.sa_handler = on_term};
  int listener = socket (AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address;

  if (argc != 4) {
    fputs ("usage: proxy PORT TARGET-PORT MILLISECONDS\n", stderr);
    return 2;
  }
  address = loopback (atoi (argv[1]));
  delay = (long long)(atof (argv[3]) * 1e6);
  sigaction (SIGTERM, &action, NULL);
  setsockopt (listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof (int));
  if (bind (listener, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen (listener, 16) != 0) {
    perror ("proxy");
    return 2;
  }
  puts ("ready");
  fflush (stdout);
  serve (listener, atoi (argv[2]));
  printf ("{\"up\": %llu, \"down\": %llu, \"round_trips\": %llu, \"connections\": %llu}\n",
          bytes[0], bytes[1], round_trips, accepted);
  return 0;
}
