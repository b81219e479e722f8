// SPDX-License-Identifier: Apache-2.0
#include "service/local_service.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "service/environment.h"

extern char **environ;

namespace understudy {
namespace {

constexpr double kStartSeconds = 60;
constexpr const char *kIdleSeconds = "600";

// A folder of this user that nobody else can enter.
std::string own_folder() {
  const std::string runtime = environment("XDG_RUNTIME_DIR");
  const std::string folder = runtime.empty() ? "/tmp/understudy-" + std::to_string(getuid()) : runtime + "/understudy";
  mkdir(folder.c_str(), 0700);
  struct stat facts{};
  if (lstat(folder.c_str(), &facts) != 0 || !S_ISDIR(facts.st_mode) || facts.st_uid != geteuid() || (facts.st_mode & 077) != 0)
    throw Trouble{"UsageError", "this folder is not yours alone, so no service can be started in it", folder,
                  "set XDG_RUNTIME_DIR, or start one: understudy serve"};
  return folder;
}

bool answers(const Address &address) {
  try {
    Patience patience(nullptr, 1);
    connect_to(address, patience);
    return true;
  } catch (const Trouble &) {
    return false;
  }
}

bool is_file(const std::string &path) {
  struct stat facts{};
  return stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) && access(path.c_str(), X_OK) == 0;
}

// $UNDERSTUDY_EXECUTABLE, or `understudy` on the PATH.
std::string executable() {
  const std::string named = environment("UNDERSTUDY_EXECUTABLE");
  const std::string fix = "install it, and set UNDERSTUDY_EXECUTABLE to the understudy command";
  if (!named.empty()) {
    if (is_file(named)) return named;
    throw Trouble{"UsageError", "UNDERSTUDY_EXECUTABLE is no program", named, fix};
  }
  const std::string path = environment("PATH");
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    const std::string file = path.substr(begin, end - begin) + "/understudy";
    if (is_file(file)) return file;
    begin = end + 1;
  }
  throw Trouble{"UsageError", "no Understudy service runs, and the understudy command was not found", "", fix};
}

// The host's environment less what belongs to the host itself.
std::vector<char *> child_environment() {
  std::vector<char *> kept;
  for (char **each = environ; each != nullptr && *each != nullptr; ++each) {
    bool drop = false;
    for (const char *name : {"PYTHONHOME=", "PYTHONPATH=", "LD_PRELOAD="})
      drop = drop || std::strncmp(*each, name, std::strlen(name)) == 0;
    if (!drop) kept.push_back(*each);
  }
  kept.push_back(nullptr);
  return kept;
}

// The host's files are not the service's. Not closefrom: hosts run on systems whose libc is older than it (2.34).
void close_others(posix_spawn_file_actions_t &files, int first) {
  DIR *open = opendir("/proc/self/fd");
  if (open == nullptr) return;
  while (const dirent *entry = readdir(open)) {
    const int number = std::atoi(entry->d_name);
    if (number >= first) posix_spawn_file_actions_addclose(&files, number);
  }
  closedir(open);
}

// Through a shell that leaves at once: the service is nobody's child here, and none of our code runs after the fork.
// It inherits `life`, a locked file, and so the lock is free again when it has ended.
void spawn(const std::string &program, const Address &address, const std::string &log, int life) {
  const std::string listen = address.text();
  const char *script = "\"$0\" serve --listen \"$1\" --exit-when-idle \"$2\" >\"$3\" 2>&1 </dev/null &";
  const char *arguments[] = {"sh", "-c", script, program.c_str(), listen.c_str(), kIdleSeconds, log.c_str(), nullptr};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&files, 0, 1);
  posix_spawn_file_actions_adddup2(&files, 0, 2);
  posix_spawn_file_actions_adddup2(&files, life, 3);
  close_others(files, 4);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = 0;
  std::vector<char *> variables = child_environment();
  const int error =
      posix_spawn(&child, "/bin/sh", &files, &attributes, const_cast<char *const *>(arguments), variables.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw Trouble{"StartError", std::string("the service can't be started: ") + std::strerror(error), program, ""};
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

// A file that only the holder of the descriptor has locked; none where another one has.
Descriptor locked(const std::string &path) {
  Descriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  return flock(file.get(), LOCK_EX | LOCK_NB) == 0 ? std::move(file) : Descriptor();
}

std::string last_line(const std::string &file) {
  const Descriptor fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  char bytes[4096];
  const off_t size = lseek(fd.get(), 0, SEEK_END);
  const ssize_t got = size < 0 ? -1 : pread(fd.get(), bytes, sizeof bytes, std::max<off_t>(0, size - off_t{sizeof bytes}));
  std::string text(bytes, got > 0 ? static_cast<size_t>(got) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

}  // namespace

Target target_of(const std::string &named) {
  const std::string text = named.empty() ? environment("UNDERSTUDY_SERVER") : named;
  if (!text.empty()) return {Address::parse(text), false};
  return {Address::parse("unix:" + own_folder() + "/ofx.sock"), true};
}

void start_own_service(const Address &address, Patience &patience) {
  const std::string log = address.path + ".log", life_file = address.path + ".alive";
  Patience start = patience.within(kStartSeconds);
  const auto failed = [&](const char *how) {
    return Trouble{"StartError", std::string("the Understudy service ") + how + " (" + last_line(log) + ")", log,
                   "try it by hand: understudy serve"};
  };
  const auto pause = [&] {
    start.check();
    if (start.over()) throw failed("did not start within a minute");
    poll(nullptr, 0, Patience::kPollMs);
  };
  Descriptor starter, life;
  while ((starter = locked(address.path + ".lock")).get() < 0) {
    if (answers(address)) return;
    pause();
  }
  // One that is about to end still has its lock, and answers no more.
  while (!answers(address) && (life = locked(life_file)).get() < 0) pause();
  if (life.get() < 0) return;
  spawn(executable(), address, log, life.get());
  life = Descriptor();
  while (!answers(address)) {
    pause();
    if (locked(life_file).get() >= 0) throw failed("ended at once");
  }
}

}  // namespace understudy
