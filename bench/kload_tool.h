/* kload tool OUT COMMAND...: runs a command with our standard streams and writes what it took to the file OUT.
 * A process of its own, because the peak memory that the system tells of a child is never below what its parent had, and
 * starting one takes Python longer than a small tool runs. */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

static double seconds_of(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

static int cmd_tool(const char *out, char **command) {
  i64 begun = now_ns();
  pid_t parent = getpid(), child = fork();
  if (child < 0) die("fork: %s", strerror(errno));
  if (!child) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* who is killed for taking too long takes the tool along */
    if (getppid() != parent) _exit(127);
    signal(SIGPIPE, SIG_DFL);
    execvp(command[0], command);
    fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
    _exit(127);
  }
  int status;
  struct rusage took;
  if (wait4(child, &status, 0, &took) < 0) die("wait4: %s", strerror(errno));
  double wall = (now_ns() - begun) / 1e9;
  FILE *f = fopen(out, "w");
  if (!f) die("%s: %s", out, strerror(errno));
  fprintf(f, "{\"wall_s\":%.6f,\"cpu_s\":%.6f,\"rss_mb\":%.3f}\n", wall, seconds_of(took.ru_utime) + seconds_of(took.ru_stime), took.ru_maxrss / 1024.0);
  if (fclose(f)) die("%s: %s", out, strerror(errno));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
