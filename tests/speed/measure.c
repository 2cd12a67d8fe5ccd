/* SPDX-License-Identifier: GPL-3.0-or-later */

/* measure FILE PROGRAM [ARGUMENT...]: runs it, and writes what it took into FILE as JSON. A program
 * of its own, as the peak memory of a process counts what it was forked from. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
seconds (struct timeval time)
{
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double
now (void)
{
  struct timespec time;

  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int
main (int argc, char **argv)
{
  struct rusage usage;
  double start = now ();
  int status;
  FILE *file;
  pid_t pid;

  if (argc < 3) {
    fputs ("usage: measure FILE PROGRAM [ARGUMENT...]\n", stderr);
    return 2;
  }
  pid = fork ();
  if (pid == 0) {
    execvp (argv[2], argv + 2);
    perror (argv[2]);
    _exit (127);
  }
  if (pid < 0 || wait4 (pid, &status, 0, &usage) != pid) {
    perror ("measure");
    return 2;
  }
  status = WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
  file = fopen (argv[1], "w");
  if (file == NULL) {
    perror (argv[1]);
    return 2;
  }
  fprintf (
      file, "{\"status\": %d, \"wall\": %.6f, \"user\": %.6f, \"system\": %.6f, \"kib\": %ld}\n",
      status, now () - start, seconds (usage.ru_utime), seconds (usage.ru_stime), usage.ru_maxrss);
  return fclose (file) == 0 ? 0 : 2;
}
