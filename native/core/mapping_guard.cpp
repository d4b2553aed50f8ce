#include "core/mapping_guard.h"

#ifdef __linux__

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace vcap {
namespace {

/** A guarded file, in a table that the handler may read at any moment. */
struct Slot {
    std::atomic<bool> used{false};
    std::atomic<bool> lost{false};
    char path[PATH_MAX];   // as the system names mappings of the file: absolute, without links
};

constexpr int SLOTS = 64;
Slot slots[SLOTS];
std::mutex slots_mutex;   // for taking and leaving slots, and for the number of guards
int guards = 0;
struct sigaction before;   // the handler that ours replaced

/** Reads /proc/self/maps line by line with nothing but what a signal's handler may call. */
class MapsReader {
public:
    MapsReader() : file_(open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) {}
    ~MapsReader() {
        if (file_ >= 0) close(file_);
    }

    /** The next line, without its newline and cut at the buffer's end; nullptr after the last. */
    const char * next() {
        size_t length = 0;
        for (int c = get(); c != '\n'; c = get()) {
            if (c < 0) return nullptr;
            if (length + 1 < sizeof(line_)) line_[length++] = static_cast<char>(c);
        }
        line_[length] = '\0';
        return line_;
    }

private:
    int get() {
        if (at_ == filled_) {
            const ssize_t count = file_ < 0 ? 0 : read(file_, buffer_, sizeof(buffer_));
            if (count <= 0) return -1;
            filled_ = static_cast<size_t>(count);
            at_ = 0;
        }
        return static_cast<unsigned char>(buffer_[at_++]);
    }

    int file_;
    char buffer_[1024];
    char line_[PATH_MAX + 128];
    size_t at_ = 0;
    size_t filled_ = 0;
};

/** The hexadecimal number at the start of `text`, which moves behind it. strtoul() is not for handlers. */
uintptr_t take_hexadecimal(const char *& text) {
    uintptr_t value = 0;
    for (;; text++) {
        const char c = *text;
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return value;
        value = value * 16 + static_cast<uintptr_t>(digit);
    }
}

/** The slot of the file that a line of the maps names; nullptr where it is none of ours. */
Slot * slot_of(const char * line) {
    const char * path = std::strchr(line, '/');
    if (path == nullptr) return nullptr;
    for (Slot & slot : slots) {
        const size_t length = std::strlen(slot.path);
        // A file that was deleted, or replaced by renaming, has " (deleted)" behind its name.
        if (slot.used && std::strncmp(path, slot.path, length) == 0 && (path[length] == '\0' || path[length] == ' ')) {
            return &slot;
        }
    }
    return nullptr;
}

/** Maps zeros from the page of `address` on to the end of its mapping, if that is of a guarded file. */
bool map_zeros(uintptr_t address) {
    MapsReader maps;
    for (const char * line = maps.next(); line != nullptr; line = maps.next()) {
        const char * text = line;
        const uintptr_t begin = take_hexadecimal(text);
        text++;   // the hyphen
        const uintptr_t end = take_hexadecimal(text);
        if (address < begin || address >= end) continue;
        Slot * slot = slot_of(text);
        if (slot == nullptr) return false;
        const uintptr_t page = address & ~(static_cast<uintptr_t>(sysconf(_SC_PAGESIZE)) - 1);
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
        void * mapped = mmap(reinterpret_cast<void *>(page), end - page, PROT_READ, flags, -1, 0);
        slot->lost = true;
        return mapped != MAP_FAILED;
    }
    return false;
}

void on_bus_error(int number, siginfo_t * info, void * context) {
    const int error = errno;
    const bool mapped = info->si_code == BUS_ADRERR && map_zeros(reinterpret_cast<uintptr_t>(info->si_addr));
    errno = error;
    if (mapped) {
        return;
    }
    if ((before.sa_flags & SA_SIGINFO) != 0) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else {
        sigaction(SIGBUS, &before, nullptr);   // the same read then ends the process
    }
}

void install_handler() {
    struct sigaction action{};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &before);
}

/** Puts the handler back that was there before, unless somebody has put another over ours. */
void remove_handler() {
    struct sigaction now;
    if (sigaction(SIGBUS, nullptr, &now) == 0 && now.sa_sigaction == on_bus_error) {
        sigaction(SIGBUS, &before, nullptr);
    }
}

}   // namespace

MappingGuard::MappingGuard(const std::string & path) {
    const std::lock_guard<std::mutex> lock(slots_mutex);
    for (int i = 0; i < SLOTS && slot_ < 0; i++) {
        if (!slots[i].used && realpath(path.c_str(), slots[i].path) != nullptr) {
            slots[i].lost = false;
            slots[i].used = true;
            slot_ = i;
        }
    }
    if (slot_ >= 0 && guards++ == 0) {
        install_handler();
    }
}

// The handler goes with the last guard: a worker's addon may be unloaded from the process with it.
MappingGuard::~MappingGuard() {
    if (slot_ < 0) {
        return;
    }
    const std::lock_guard<std::mutex> lock(slots_mutex);
    slots[slot_].used = false;
    if (--guards == 0) {
        remove_handler();
    }
}

bool MappingGuard::lost() const { return slot_ >= 0 && slots[slot_].lost; }

}   // namespace vcap

#else

namespace vcap {

MappingGuard::MappingGuard(const std::string &) {}
MappingGuard::~MappingGuard() = default;
bool MappingGuard::lost() const { return slot_ >= 0; }

}   // namespace vcap

#endif
