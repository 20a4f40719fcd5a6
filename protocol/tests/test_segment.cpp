// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <filesystem>
#include <fstream>

#if !defined(_WIN32)
#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#endif

using namespace bandmate::test;
using namespace bandmate::protocol;

namespace
{
std::string attach_refusal (const TemporaryPath& path)
{
    return refusal ([&path] { Segment::attach (path.string()); });
}
} // namespace

TEST_CASE ("Both sides see the same segment", "[segment]")
{
    Pair pair;
    CHECK (pair.server.shape().frame_samples == 3);
    CHECK (pair.server.description().creator_pid == process_id());
    CHECK (pair.server.events().capacity() == 64);
    CHECK (pair.server.audio_in().floats() == 6);

    pair.plugin.plugin().underruns.fetch_add (2);
    CHECK (pair.server.plugin().underruns.load() == 2);
    pair.server.server().state.store (static_cast<std::uint32_t> (ServerState::ready));
    CHECK (pair.plugin.server().state.load() == static_cast<std::uint32_t> (ServerState::ready));
}

TEST_CASE ("The mapping outlives the file's name and the segment can be moved", "[segment]")
{
    Pair pair;
    REQUIRE (unlink_file (pair.path.string()));
    CHECK_FALSE (unlink_file (pair.path.string()));
    Segment moved = std::move (pair.plugin);
    CHECK_FALSE (pair.plugin.is_open());
    REQUIRE (moved.events().push (Event::note_on (0, 0, 60, 1.0)));
    CHECK (pair.server.events().available() == 1);
}

TEST_CASE ("A segment is never made over an existing file", "[segment]")
{
    Pair pair;
    CHECK (refusal ([&] { Segment::create (pair.path.string(), {48000, 2, 1920}); }) == error_code::io);
    CHECK (Segment::attach (pair.path.string()).is_open()); // and it is untouched
}

TEST_CASE ("Shapes that cannot be are refused", "[segment]")
{
    const TemporaryPath path;
    const auto code = [&path] (FrameShape shape, Capacities capacities)
    {
        return refusal ([&] { Segment::create (path.string(), shape, capacities); });
    };
    CHECK (code ({0, 2, 1920}, {}) == error_code::bad_segment);
    CHECK (code ({48000, 0, 1920}, {}) == error_code::bad_segment);
    CHECK (code ({48000, 2, 0}, {}) == error_code::bad_segment);
    CHECK (code ({48000, 2, 1920}, {1000, 64, 64}) == error_code::bad_segment);
    CHECK (code ({48000, 2, 1920}, {64, 2, 64}) == error_code::bad_segment);
    CHECK (code ({48000, 8, 65536}, {64, 1024, 1024}) == error_code::bad_segment); // beyond 2 GiB
    CHECK_FALSE (std::filesystem::exists (path.string()));
}

TEST_CASE ("Files that are no segment are refused", "[segment]")
{
    const TemporaryPath path;
    CHECK (attach_refusal (path) == error_code::io); // none there

    std::ofstream (path.string()) << "";
    std::filesystem::permissions (path.string(),
                                  std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    CHECK (attach_refusal (path) == error_code::bad_segment); // empty
    std::ofstream (path.string()) << std::string (5000, 'x');
    CHECK (attach_refusal (path) == error_code::bad_segment); // something else
}

TEST_CASE ("A segment that was cut or has grown is refused", "[segment]")
{
    Pair pair;
    const auto bytes = std::filesystem::file_size (pair.path.string());
    for (const auto size : {bytes + 64, bytes - 64, std::uintmax_t{header_bytes}, std::uintmax_t{10}})
    {
        // Only attached again, never touched through the mappings of the pair.
        std::filesystem::resize_file (pair.path.string(), size);
        CHECK (attach_refusal (pair.path) == error_code::bad_segment);
    }
}

#if !defined(_WIN32)
TEST_CASE ("A segment is private: others' files, links and folders are refused", "[segment]")
{
    Pair pair;
    struct stat info;
    REQUIRE (::stat (pair.path.string().c_str(), &info) == 0);
    CHECK ((info.st_mode & 0777) == 0600);

    REQUIRE (::chmod (pair.path.string().c_str(), 0644) == 0);
    CHECK (attach_refusal (pair.path) == error_code::bad_segment);
    REQUIRE (::chmod (pair.path.string().c_str(), 0600) == 0);

    const TemporaryPath link;
    std::filesystem::create_symlink (pair.path.string(), link.string());
    CHECK (attach_refusal (link) == error_code::io);

    const TemporaryPath folder;
    std::filesystem::create_directory (folder.string());
    CHECK (attach_refusal (folder) == error_code::io);

    const TemporaryPath fifo;
    REQUIRE (::mkfifo (fifo.string().c_str(), 0600) == 0);
    CHECK (attach_refusal (fifo) == error_code::bad_segment);
}
#endif

#if !defined(_WIN32)
TEST_CASE ("A disk without room is an error that leaves nothing behind", "[segment]")
{
    // The limit on a file's size stands for the full disk: both refuse the write of a block.
    const auto before = std::signal (SIGXFSZ, SIG_IGN);
    rlimit limit{};
    REQUIRE (::getrlimit (RLIMIT_FSIZE, &limit) == 0);
    rlimit small = limit;
    small.rlim_cur = 100000;
    REQUIRE (::setrlimit (RLIMIT_FSIZE, &small) == 0);
    const TemporaryPath path;
    const auto code = refusal ([&] { Segment::create (path.string(), {48000, 2, 1920}); });
    REQUIRE (::setrlimit (RLIMIT_FSIZE, &limit) == 0);
    std::signal (SIGXFSZ, before);
    CHECK (code == error_code::io);
    CHECK_FALSE (std::filesystem::exists (path.string()));
    CHECK (Segment::create (path.string(), {48000, 2, 1920}).is_open()); // with room it works
}
#endif
