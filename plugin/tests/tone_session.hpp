// SPDX-License-Identifier: GPL-3.0-or-later
// The server's end of a segment, without a model: what went in can be told from what comes out.
#pragma once

#include <bandmate/protocol/segment.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bandmate::tests
{

// A segment in a temporary file.
class TemporarySegment
{
public:
    explicit TemporarySegment (protocol::FrameShape shape, protocol::Capacities capacities = {});
    protocol::Segment* operator->() { return segment_.get(); }
    const std::shared_ptr<protocol::Segment>& get() const { return segment_; }
    const std::string& path() const { return path_; }
    ~TemporarySegment();

private:
    std::string path_;
    std::shared_ptr<protocol::Segment> segment_;
};

// Follows the time rules of the protocol: frame k is made when its input is published, out of exactly the
// events before its end. Each note on is one sample of its velocity times `level`, D samples after its time.
class ToneSession
{
public:
    ToneSession (const std::string& path, uint32_t delay_samples, float level = 1.0f);

    // Makes all frames that can be made, but for those in `lost`.
    void step();

    std::vector<uint64_t> lost;          // frame indices never to be written
    std::vector<protocol::Event> events; // all of the current epoch so far
    uint32_t epoch() const { return epoch_; }
    uint64_t seed() const { return seed_; }
    protocol::Segment& segment() { return segment_; }

private:
    void make_frame();

    protocol::Segment segment_;
    uint32_t delay_;
    float level_;
    uint32_t epoch_ = 0;
    uint64_t seed_ = 0;
    uint64_t next_ = 0;
};

} // namespace bandmate::tests
