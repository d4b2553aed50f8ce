#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <string>

#include <sys/stat.h>

namespace vcap {

/** A part of a file, mapped into memory read-only until this object goes. */
class FileMapping {
public:
    FileMapping() = default;
    /** Takes over `length` bytes that mmap() gave at `base`; data() is `skip` bytes behind it. */
    FileMapping(void * base, size_t length, size_t skip) : base_(base), length_(length), skip_(skip) {}
    FileMapping(FileMapping && other) noexcept { *this = std::move(other); }
    FileMapping & operator=(FileMapping && other) noexcept;
    ~FileMapping();

    const uint8_t * data() const { return static_cast<const uint8_t *>(base_) + skip_; }

private:
    void * base_ = nullptr;
    size_t length_ = 0;   // bytes
    size_t skip_ = 0;     // bytes
};

/**
 * A regular file, open for reading, with what it was when it was opened. While it is open, a shared lock (flock) on it
 * asks others not to write; nothing obliges them to ask. May be used from any thread.
 */
class OpenFile {
public:
    /**
     * What is no regular file is refused before it is opened, because opening a FIFO would block. Throws
     * model_not_found and model_invalid.
     */
    explicit OpenFile(const std::string & path);
    ~OpenFile();
    OpenFile(const OpenFile &) = delete;
    OpenFile & operator=(const OpenFile &) = delete;

    const std::string & path() const { return path_; }
    /** Bytes of the file when it was opened. */
    uint64_t size() const { return static_cast<uint64_t>(opened_.st_size); }

    /** Reads `length` bytes from `offset` on. Throws model_invalid where the system cannot, or the file is shorter. */
    void read(uint64_t offset, void * to, size_t length) const;
    /** Maps `length` bytes from `offset` on, which must lie within the file. Throws model_invalid. */
    FileMapping map(uint64_t offset, size_t length) const;
    /** A stream of its own from the file's start. Throws model_invalid. */
    std::unique_ptr<std::FILE, int (*)(std::FILE *)> stream() const;

    /** What the system says of a file's bytes. */
    struct State {
        uint64_t size;   // bytes
        timespec modified;
    };
    /** That of this file now; nothing where the system does not say. */
    std::optional<State> state() const;
    /** When the file was last modified before it was opened. */
    timespec modified() const;
    /**
     * A number made of some hundred kilobytes from all over the file, which is another where much of it changed. 0
     * where they cannot be read.
     */
    uint64_t sample() const;
    /** Whether the path leads to another file, or to none. One that was renamed over this one does not change it. */
    bool replaced() const;

    /** Throws model_invalid. Its message is the path, a colon and `what`, which ends without a full stop. */
    [[noreturn]] void invalid(const std::string & what) const;

private:
    std::string path_;
    int descriptor_ = -1;
    struct stat opened_{};   // the file when it was opened
};

}   // namespace vcap
