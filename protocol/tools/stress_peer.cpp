// SPDX-License-Identifier: Apache-2.0
// One side of the stress test between two processes; tests/stress/peer.py has the same numbers in Python.
//
//     bandmate_stress_peer plugin|server SEGMENT EVENTS FRAMES
//
// `plugin` pushes EVENTS events and writes FRAMES input frames while it takes FRAMES output frames; `server`
// does the opposite. Every item's content follows from its number alone, so that a lost, torn or reordered
// one shows. Exit status: 0 all was as it must be, 1 an item was wrong (which, is on standard error), 2 bad
// arguments or a peer that stopped.
#include <bandmate/protocol/segment.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{

using namespace bandmate::protocol;

constexpr std::uint32_t epoch = 1;
constexpr std::size_t batch = 4096;
constexpr auto patience = std::chrono::seconds (30);

// A well-mixed 64-bit number for each n (the finaliser of splitmix64).
std::uint64_t mixed (std::uint64_t n)
{
    n += 0x9e3779b97f4a7c15u;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;
    return n ^ (n >> 31);
}

Event event_of (std::uint64_t n)
{
    const auto m = mixed (n);
    return Event::transport (n, static_cast<std::uint32_t> (m >> 32), static_cast<double> (m % 10001),
                             static_cast<std::int64_t> (m));
}

bool is_same (const Event& a, const Event& b)
{
    return a.time == b.time && a.type == b.type && a.channel == b.channel && a.index == b.index &&
           a.value == b.value && a.aux == b.aux;
}

float sample_of (std::uint64_t frame, std::uint32_t i)
{
    const auto bits = (static_cast<std::uint32_t> (mixed (frame)) + i * 2654435761u) >> 8;
    return static_cast<float> (bits) * (1.0f / 16777216.0f);
}

struct Wrong : std::runtime_error
{
    using std::runtime_error::runtime_error;
};

// Each function below does what it can now and says whether that was anything.
class Peer
{
public:
    Peer (const char* path, std::uint64_t events, std::uint64_t frames)
        : segment_ (Segment::attach (path)), events_ (events), frames_ (frames)
    {
    }

    bool push_events()
    {
        const auto before = events_done_;
        while (events_done_ < events_ && events_done_ - before < batch &&
               segment_.events().push (event_of (events_done_)))
            ++events_done_;
        if (events_done_ > before)
            segment_.published().publish ({epoch, events_done_});
        return events_done_ > before;
    }

    // Takes what is published; all of it must be there.
    bool take_events()
    {
        const auto position = segment_.published().read();
        if (!position.has_value() || position->until == events_done_)
            return false;
        Event events[batch];
        while (events_done_ < position->until)
        {
            const auto count = segment_.events().read (position->until, events, batch);
            if (count == 0)
                throw Wrong ("published until " + std::to_string (position->until) + ", but event " +
                             std::to_string (events_done_) + " is not there");
            for (std::size_t i = 0; i < count; ++i, ++events_done_)
                if (!is_same (events[i], event_of (events_done_)))
                    throw Wrong ("event " + std::to_string (events_done_) + " is wrong");
        }
        return true;
    }

    bool write_frame (AudioRing& ring)
    {
        auto* samples = written_ < frames_ ? ring.begin_write() : nullptr;
        if (samples == nullptr)
            return false;
        for (std::uint32_t i = 0; i < ring.floats(); ++i)
            samples[i] = sample_of (written_, i);
        ring.commit (epoch, written_++);
        return true;
    }

    bool take_frame (AudioRing& ring)
    {
        const auto frame = ring.front();
        if (!frame.has_value())
            return false;
        bool good = frame->epoch == epoch && frame->index == taken_;
        for (std::uint32_t i = 0; good && i < ring.floats(); ++i)
            good = frame->samples[i] == sample_of (taken_, i);
        if (!good)
            throw Wrong ("frame " + std::to_string (taken_) + " is wrong");
        ring.release();
        ++taken_;
        return true;
    }

    bool is_done() const { return events_done_ == events_ && written_ == frames_ && taken_ == frames_; }

    Segment& segment() { return segment_; }

    std::string progress() const
    {
        return std::to_string (events_done_) + " events, " + std::to_string (written_) + " frames written, " +
               std::to_string (taken_) + " taken";
    }

private:
    Segment segment_;
    std::uint64_t events_;
    std::uint64_t frames_;
    std::uint64_t events_done_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t taken_ = 0;
};

int run (bool is_plugin, Peer& peer)
{
    auto& written = is_plugin ? peer.segment().audio_in() : peer.segment().audio_out();
    auto& taken = is_plugin ? peer.segment().audio_out() : peer.segment().audio_in();
    auto last = std::chrono::steady_clock::now();
    while (!peer.is_done())
    {
        bool moved = is_plugin ? peer.push_events() : peer.take_events();
        moved = peer.write_frame (written) || moved;
        moved = peer.take_frame (taken) || moved;
        const auto now = std::chrono::steady_clock::now();
        if (moved)
            last = now;
        else if (now - last > patience)
            throw Error (error_code::internal, "the other side stopped after " + peer.progress());
        else
            std::this_thread::yield();
    }
    std::printf ("%s\n", peer.progress().c_str());
    return 0;
}

} // namespace

int main (int argc, char** argv)
{
    const std::string role = argc == 5 ? argv[1] : "";
    if (role != "plugin" && role != "server")
    {
        std::fputs ("usage: bandmate_stress_peer plugin|server SEGMENT EVENTS FRAMES\n", stderr);
        return 2;
    }
    try
    {
        Peer peer (argv[2], std::strtoull (argv[3], nullptr, 10), std::strtoull (argv[4], nullptr, 10));
        return run (role == "plugin", peer);
    }
    catch (const Wrong& wrong)
    {
        std::fprintf (stderr, "WRONG: %s\n", wrong.what());
        return 1;
    }
    catch (const std::exception& error)
    {
        std::fprintf (stderr, "%s\n", error.what());
        return 2;
    }
}
