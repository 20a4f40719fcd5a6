// SPDX-License-Identifier: GPL-3.0-or-later
#include <bandmate/link/discovery.hpp>
#include <bandmate/link/segment_file.hpp>

#include <atomic>
#include <cstdlib>
#include <unistd.h>

namespace bandmate::link
{

namespace fs = std::filesystem;

namespace
{

constexpr const char* prefix = "segment-";

std::atomic<unsigned> next_number{1};

// Names are segment-<pid>-<number>.
void remove_those_of_the_dead (const fs::path& folder)
{
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator (folder, failure))
    {
        const auto name = entry.path().filename().string();
        if (name.rfind (prefix, 0) != 0)
            continue;
        const auto pid = std::atoi (name.c_str() + std::char_traits<char>::length (prefix));
        if (pid > 0 && pid != ::getpid() && !is_process_alive (pid))
            fs::remove (entry.path(), failure);
    }
}

} // namespace

SegmentFile::SegmentFile (const fs::path& runtime_folder, protocol::FrameShape shape)
{
    remove_those_of_the_dead (runtime_folder);
    const auto name = prefix + std::to_string (::getpid()) + "-" + std::to_string (next_number.fetch_add (1));
    path_ = (runtime_folder / name).string();
    // An earlier process may have died with our process number and left this name.
    protocol::unlink_file (path_);
    segment_ = std::make_shared<protocol::Segment> (protocol::Segment::create (path_, shape));
    has_name_ = true;
}

void SegmentFile::drop_name() noexcept
{
    if (has_name_)
        protocol::unlink_file (path_);
    has_name_ = false;
}

} // namespace bandmate::link
