#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/gguf_file.h"
#include "core/mapping_guard.h"

namespace vcap {

/**
 * Sees whether a model's files change while they are loaded, and, where they stay mapped, while they are computed with.
 * For one thread.
 */
class FileWatch {
public:
    /** `mapped`: whether the files stay mapped; then a file that is cut off no longer ends the process. */
    FileWatch(const std::vector<std::shared_ptr<const GgufFile>> & files, bool mapped);

    /** Throws model_invalid where a file changed, or is another by its path, since it was opened. For a load's end. */
    void require_as_opened();
    /**
     * Throws engine_error where a mapped file changed, or was cut off, since it was opened; every time from then on.
     * What was computed since the last call may then be wrong. Takes a system call for each file.
     */
    void require_unchanged();

private:
    struct Watched {
        std::shared_ptr<const GgufFile> file;
        std::unique_ptr<MappingGuard> guard;   // of a mapped file
        uint64_t sample;                       // of its bytes
        timespec modified;                     // when it was last seen with that sample
    };

    bool changed(Watched & watched) const;

    std::vector<Watched> files_;
    bool mapped_;
    std::string changed_;   // the path of the file that changed
};

}   // namespace vcap
