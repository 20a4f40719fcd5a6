// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <bandmate/protocol/segment.hpp>

#include <filesystem>
#include <memory>
#include <string>

namespace bandmate::link
{

// A new segment and, until it is dropped, its file's name in the private folder.
class SegmentFile
{
public:
    // Also removes files of segments whose process is dead. Throws protocol::Error(io or bad_segment).
    SegmentFile (const std::filesystem::path& runtime_folder, protocol::FrameShape shape);
    ~SegmentFile() { drop_name(); }
    SegmentFile (const SegmentFile&) = delete;
    SegmentFile& operator= (const SegmentFile&) = delete;

    const std::string& path() const noexcept { return path_; }
    const std::shared_ptr<protocol::Segment>& segment() const noexcept { return segment_; }

    // Once the server has mapped it nobody else needs to find it, and a crash leaves nothing behind.
    void drop_name() noexcept;

private:
    std::string path_;
    bool has_name_ = false;
    std::shared_ptr<protocol::Segment> segment_;
};

} // namespace bandmate::link
