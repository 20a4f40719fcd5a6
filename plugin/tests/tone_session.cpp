// SPDX-License-Identifier: GPL-3.0-or-later
#include "tone_session.hpp"

#include <algorithm>
#include <atomic>
#include <filesystem>

namespace bandmate::tests
{

using namespace protocol;

TemporarySegment::TemporarySegment (FrameShape shape, Capacities capacities)
{
    static std::atomic<int> number{0};
    const auto name = "bandmate-test-" + std::to_string (process_id()) + "-" + std::to_string (++number);
    path_ = (std::filesystem::temp_directory_path() / name).string();
    segment_ = std::make_shared<Segment> (Segment::create (path_, shape, capacities));
}

TemporarySegment::~TemporarySegment()
{
    unlink_file (path_);
}

ToneSession::ToneSession (const std::string& path, uint32_t delay_samples, float level)
    : segment_ (Segment::attach (path)), delay_ (delay_samples), level_ (level)
{
    segment_.server().state.store (static_cast<uint32_t> (ServerState::ready));
}

void ToneSession::step()
{
    segment_.server().heartbeat_ns.store (monotonic_ns());
    while (true)
    {
        const auto position = segment_.published().read();
        if (!position || position->epoch == 0)
            return;
        if (position->epoch != epoch_)
        {
            const auto start = segment_.events().enter_newest_epoch();
            if (!start)
                return;
            epoch_ = start->epoch;
            seed_ = start->seed;
            next_ = 0;
            events.clear();
            continue;
        }
        const auto frame = std::uint64_t{segment_.shape().frame_samples};
        if (position->until < (next_ + 1) * frame || segment_.audio_out().free_slots() == 0)
            return;
        make_frame();
    }
}

void ToneSession::make_frame()
{
    const auto shape = segment_.shape();
    const auto start = next_ * shape.frame_samples;
    Event read[256];
    while (const auto count = segment_.events().read (start + shape.frame_samples, read, 256))
        events.insert (events.end(), read, read + count);

    std::vector<float> samples (std::size_t{shape.frame_samples} * shape.channels, 0.0f);
    for (const auto& event : events)
    {
        const auto place = event.time + delay_;
        if (event.type == EventType::note_on && place >= start && place < start + shape.frame_samples)
            for (uint32_t c = 0; c < shape.channels; ++c)
                samples[(place - start) * shape.channels + c] = level_ * static_cast<float> (event.value);
    }
    if (std::find (lost.begin(), lost.end(), next_) == lost.end())
        segment_.audio_out().write (epoch_, next_, samples.data());
    segment_.server().frames.fetch_add (1);
    ++next_;
}

} // namespace bandmate::tests
