#include "core/open_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/error.h"

namespace vcap {
namespace {

// Bytes that one read() is asked for: Linux gives no more than 2 GiB at once.
constexpr size_t MAX_READ = size_t{1} << 30;
// Places of a file that sample() reads, evenly spread, and bytes at each.
constexpr uint64_t SAMPLES = 64;
constexpr size_t SAMPLE_BYTES = 4096;

#ifdef __APPLE__
timespec modified_of(const struct stat & status) { return status.st_mtimespec; }
#else
timespec modified_of(const struct stat & status) { return status.st_mtim; }
#endif

}   // namespace

FileMapping & FileMapping::operator=(FileMapping && other) noexcept {
    std::swap(base_, other.base_);
    std::swap(length_, other.length_);
    std::swap(skip_, other.skip_);
    return *this;
}

FileMapping::~FileMapping() {
    if (base_ != nullptr) {
        munmap(base_, length_);
    }
}

OpenFile::OpenFile(const std::string & path) : path_(path) {
    if (stat(path.c_str(), &opened_) != 0) {
        throw Error("model_not_found", "There is no model file " + path + " (" + std::strerror(errno) + ")");
    }
    if (!S_ISREG(opened_.st_mode)) {
        throw Error("model_invalid", path + " is not a file");
    }
    descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor_ < 0 || fstat(descriptor_, &opened_) != 0) {
        const int error = errno;
        if (descriptor_ >= 0) close(descriptor_);
        throw Error("model_not_found", "The model file " + path + " cannot be read (" + std::strerror(error) + ")");
    }
    // Not every file system has locks, and a file that somebody is allowed to write can still be read.
    flock(descriptor_, LOCK_SH | LOCK_NB);
}

OpenFile::~OpenFile() { close(descriptor_); }

void OpenFile::read(uint64_t offset, void * to, size_t length) const {
    for (size_t done = 0; done < length;) {
        const ssize_t count = pread(descriptor_, static_cast<uint8_t *>(to) + done, std::min(length - done, MAX_READ),
                                    static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            invalid(std::string("it cannot be read (") + std::strerror(errno) + ")");
        }
        if (count == 0) {
            invalid("it ends after " + std::to_string(offset + done) + " bytes, and had " + std::to_string(size()) +
                    " when it was opened; give it time until it is written, or get it again");
        }
        done += static_cast<size_t>(count);
    }
}

FileMapping OpenFile::map(uint64_t offset, size_t length) const {
    const size_t skip = offset % static_cast<size_t>(sysconf(_SC_PAGESIZE));
    void * base = mmap(nullptr, length + skip, PROT_READ, MAP_PRIVATE, descriptor_, static_cast<off_t>(offset - skip));
    if (base == MAP_FAILED) {
        invalid(std::string("it cannot be mapped into memory (") + std::strerror(errno) + ")");
    }
    return FileMapping(base, length + skip, skip);
}

std::unique_ptr<std::FILE, int (*)(std::FILE *)> OpenFile::stream() const {
    const int copy = fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
    std::FILE * stream = copy < 0 ? nullptr : fdopen(copy, "rb");
    if (stream == nullptr) {
        const int error = errno;
        if (copy >= 0) close(copy);
        invalid(std::string("it cannot be read (") + std::strerror(error) + ")");
    }
    std::rewind(stream);   // a copy of a descriptor shares its position
    return {stream, std::fclose};
}

timespec OpenFile::modified() const { return modified_of(opened_); }

std::optional<OpenFile::State> OpenFile::state() const {
    struct stat now;
    if (fstat(descriptor_, &now) != 0) {
        return std::nullopt;
    }
    return State{static_cast<uint64_t>(now.st_size), modified_of(now)};
}

uint64_t OpenFile::sample() const {
    uint64_t hash = 14695981039346656037u;   // FNV-1a
    std::vector<uint8_t> bytes(SAMPLE_BYTES);
    for (uint64_t i = 0; i < SAMPLES; i++) {
        const uint64_t offset = size() / SAMPLES * i;
        const ssize_t count = pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (count < 0) {
            return 0;
        }
        for (ssize_t byte = 0; byte < count; byte++) {
            hash = (hash ^ bytes[byte]) * 1099511628211u;
        }
    }
    return hash;
}

bool OpenFile::replaced() const {
    struct stat now;
    return stat(path_.c_str(), &now) != 0 || now.st_dev != opened_.st_dev || now.st_ino != opened_.st_ino;
}

void OpenFile::invalid(const std::string & what) const { throw Error("model_invalid", path_ + ": " + what); }

}   // namespace vcap
