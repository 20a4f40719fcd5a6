// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"
#include "tone_session.hpp"

#include <bandmate/core/latency.hpp>
#include <bandmate/core/stream.hpp>

#include <cmath>
#include <functional>
#include <vector>

using namespace bandmate;
using core::BlockContext;
using core::SessionProgress;
using protocol::Event;
using protocol::EventType;

namespace
{

struct Note
{
    uint64_t host_sample;
    double velocity;
};

// A stream and the other end of its segment, stepped in turns: no thread, no clock on the wall.
struct Fixture
{
    core::ModelFacts model{"tone", 48000, 1920, 2, 0, 0.0};
    double host_rate = 48000.0;
    uint32_t max_block = 512;
    core::SegmentHandover handover;
    std::atomic<SessionProgress> progress{SessionProgress::ready};
    core::Stream stream{handover, progress};
    BlockContext context;
    std::unique_ptr<tests::TemporarySegment> file;
    std::unique_ptr<tests::ToneSession> server;
    uint32_t latency = 0;
    uint64_t position = 0;
    bool sides_are_equal = true; // as they are in all that the server makes here

    Fixture()
    {
        for (uint32_t id = 0; id < protocol::parameter_count; ++id)
            context.parameters[id] = protocol::parameters[id].initial;
    }

    void prepare()
    {
        core::LatencyInput input;
        input.host_rate_hz = host_rate;
        input.max_block_samples = max_block;
        input.model_rate_hz = model.sample_rate_hz;
        input.frame_samples = model.frame_samples;
        input.model_delay_samples = model.delay_samples;
        input.resampler_ahead_samples = stream.prepare ({model, host_rate, max_block});
        latency = static_cast<uint32_t> (core::latency (input).total());
        stream.set_latency (latency);
        position = 0;
    }

    void attach (protocol::Capacities capacities = {})
    {
        handover.collect();
        server.reset();
        file = std::make_unique<tests::TemporarySegment> (
            protocol::FrameShape{model.sample_rate_hz, model.channels, model.frame_samples}, capacities);
        server = std::make_unique<tests::ToneSession> (file->path(), model.delay_samples);
        handover.offer (file->get());
    }

    void block (uint32_t count, const std::vector<Note>& notes, std::vector<float>& out)
    {
        out.resize (out.size() + count);
        std::vector<float> right (count + 1);
        stream.begin (count, context);
        for (const auto& note : notes)
            if (note.host_sample >= position && note.host_sample < position + count)
            {
                const auto offset = static_cast<uint32_t> (note.host_sample - position);
                stream.add (offset, Event::note_on (0, 0, 60, note.velocity));
                stream.add (offset, Event::note_off (0, 0, 60));
            }
        stream.finish (out.data() + out.size() - count, right.data());
        sides_are_equal &= std::equal (out.end() - count, out.end(), right.begin());
        position += count;
        if (server)
            server->step();
    }

    std::vector<float> render (uint64_t total, uint32_t size, const std::vector<Note>& notes)
    {
        std::vector<float> out;
        while (out.size() < total)
            block (size, notes, out);
        return out;
    }
};

std::size_t peak (const std::vector<float>& signal, std::size_t from, std::size_t to)
{
    auto best = from;
    for (auto i = from; i < std::min (to, signal.size()); ++i)
        if (std::abs (signal[i]) > std::abs (signal[best]))
            best = i;
    return best;
}

} // namespace

TEST_CASE ("At the model's own rate a note comes out at its sample plus the reported latency")
{
    for (const auto delay : {0u, 700u})
        for (const auto block : {1u, 3u, 64u, 441u, 512u, 8192u})
        {
            Fixture f;
            f.model.delay_samples = delay;
            f.max_block = block;
            f.prepare();
            f.attach();
            const std::vector<Note> notes{{0, 0.5},    {1, 0.25},    {1919, 0.75},
                                          {1920, 0.5}, {10007, 1.0}, {20011, 0.125}};
            const auto out = f.render (40000, block, notes);
            std::vector<float> expected (out.size(), 0.0f);
            for (const auto& note : notes)
                expected[note.host_sample + f.latency] = static_cast<float> (note.velocity);
            CAPTURE (block, delay, f.latency);
            CHECK (out == expected);
            CHECK (f.stream.counts().underruns == 0);
        }
}

TEST_CASE ("At other rates a note comes out within one sample of its place")
{
    for (const auto rate : {44100.0, 88200.0, 96000.0})
        for (const auto block : {1u, 37u, 512u, 4096u})
        {
            Fixture f;
            f.host_rate = rate;
            f.max_block = block;
            f.prepare();
            f.attach();
            const std::vector<Note> notes{{3000, 1.0}, {15001, 1.0}, {33333, 1.0}};
            const auto out = f.render (60000, block, notes);
            CAPTURE (rate, block, f.latency);
            for (const auto& note : notes)
            {
                const auto expected = note.host_sample + f.latency;
                const auto found = peak (out, expected - 500, expected + 500);
                CHECK (std::abs (static_cast<double> (found) - static_cast<double> (expected)) <= 1.0);
                CHECK (out[found] > 0.3f);
            }
            CHECK (f.stream.counts().underruns == 0);
        }
}

TEST_CASE ("After lost frames everything is still at its place")
{
    Fixture f;
    f.prepare();
    f.attach();
    f.server->lost = {2, 3, 7};
    // In frames 2 (lost), 5 and 12, clear of the fades.
    const std::vector<Note> notes{{4500, 1.0}, {10500, 0.5}, {24500, 0.25}};
    const auto out = f.render (40000, 512, notes);
    CHECK (out[4500 + f.latency] == 0.0f);
    CHECK (out[10500 + f.latency] == 0.5f);
    CHECK (out[24500 + f.latency] == 0.25f);
    CHECK (f.stream.counts().underruns == 3);
    CHECK (f.sides_are_equal); // a gap moves neither against the other
}

TEST_CASE ("Blocks of no samples, and of every size in turn")
{
    Fixture f;
    f.max_block = 1000;
    f.prepare();
    f.attach();
    const std::vector<Note> notes{{5003, 1.0}};
    std::vector<float> out;
    for (uint32_t size = 0; out.size() < 20000; size = (size + 77) % 1001)
        f.block (size, notes, out);
    CHECK (out[5003 + f.latency] == 1.0f);
    CHECK (std::count (out.begin(), out.end(), 0.0f) == static_cast<long> (out.size()) - 1);
}

TEST_CASE ("A new epoch begins with the seed, all parameters and the held notes")
{
    Fixture f;
    f.prepare();
    f.context.parameters[static_cast<size_t> (protocol::ParameterId::seed)] = 42.0;
    f.context.parameters[static_cast<size_t> (protocol::ParameterId::temperature)] = 0.5;
    std::vector<float> out;
    f.stream.begin (512, f.context); // nobody there yet
    f.stream.add (100, Event::note_on (0, 0, 67, 0.5));
    std::vector<float> left (512), right (512);
    f.stream.finish (left.data(), right.data());
    f.attach();
    f.render (8192, 512, {});
    REQUIRE (f.server->epoch() >= 1);
    CHECK (f.server->seed() == 42);
    const auto& events = f.server->events;
    REQUIRE (events.size() >= protocol::parameter_count + 1);
    CHECK (events[static_cast<size_t> (protocol::ParameterId::temperature)].value == 0.5);
    const auto held = std::find_if (events.begin(), events.end(),
                                    [] (const Event& e) { return e.type == EventType::note_on; });
    REQUIRE (held != events.end());
    CHECK (held->index == 67);
    CHECK (held->time == 0);
}

TEST_CASE ("Every parameter that moves while it plays reaches the server, in its block and with its value")
{
    Fixture f;
    f.prepare();
    f.attach();
    f.render (5120, 512, {});
    std::vector<uint64_t> moved_at;
    for (uint32_t id = 0; id < protocol::parameter_count; ++id)
    {
        const auto& parameter = protocol::parameters[id];
        moved_at.push_back (f.position);
        f.context.parameters[id] =
            parameter.initial == parameter.maximum ? parameter.minimum : parameter.maximum;
        f.render (512, 512, {});
    }
    f.render (4096, 512, {});
    for (uint32_t id = 0; id < protocol::parameter_count; ++id)
    {
        CAPTURE (protocol::parameters[id].name);
        const auto& events = f.server->events;
        const auto moved = std::find_if (
            events.begin(), events.end(),
            [&] (const Event& e) { return e.type == EventType::parameter && e.index == id && e.time > 0; });
        REQUIRE (moved != events.end());
        CHECK (moved->time == moved_at[id]);
        CHECK (moved->value == f.context.parameters[id]);
    }
}

TEST_CASE ("A reset makes the next render equal to the first")
{
    Fixture f;
    f.prepare();
    f.attach();
    const std::vector<Note> notes{{700, 1.0}, {9000, 0.5}};
    const auto first = f.render (20480, 512, notes);
    f.stream.request_reset();
    f.position = 0;
    CHECK (f.render (20480, 512, notes) == first);
}

TEST_CASE ("Restart on play begins a new epoch when the transport starts, and only then")
{
    for (const bool restart : {false, true})
    {
        Fixture f;
        f.prepare();
        f.attach();
        f.context.restart_on_play = restart;
        f.render (2048, 512, {});
        const auto before = f.stream.counts().epoch.load();
        f.context.transport.is_playing = true;
        f.render (4096, 512, {});
        CHECK (f.stream.counts().epoch.load() == before + (restart ? 1 : 0));
    }
}

TEST_CASE ("Each start of the same region gives the same samples, wherever it lies and whatever came before")
{
    Fixture f;
    f.prepare();
    f.attach();
    f.context.restart_on_play = true;
    std::vector<std::vector<float>> takes;
    for (const uint32_t before : {1024u, 5632u, 12800u}) // the stream stands elsewhere in its frame each time
    {
        f.context.transport.is_playing = false;
        f.render (before, 512, {{f.position + 300, 0.3}});
        f.render (f.latency + 2 * 1920, 512, {});
        f.context.transport.is_playing = true;
        f.context.transport.position_samples = 987654; // not beat 0
        takes.push_back (f.render (20480, 512, {{f.position + 700, 1.0}, {f.position + 9001, 0.5}}));
    }
    CHECK (takes[0][700 + f.latency] == 1.0f);
    CHECK (takes[1] == takes[0]);
    CHECK (takes[2] == takes[0]);
}

TEST_CASE ("Loops, jumps, punches and tempo changes leave the stream where it is")
{
    Fixture f;
    f.prepare();
    f.attach();
    f.context.restart_on_play = true;
    f.context.transport.is_playing = true;
    f.context.transport.tempo_bpm = 120.0;
    f.render (512, 512, {});
    const auto epoch = f.stream.counts().epoch.load();
    f.position = 0;
    const std::vector<Note> notes{{3000, 1.0}, {9000, 0.5}, {15000, 0.25}, {21000, 0.75}};
    std::vector<float> out;
    while (out.size() < 30000)
    {
        auto& transport = f.context.transport;
        const auto block = f.position / 512;
        transport.is_looping = block > 5;
        transport.position_samples =
            block < 20 ? static_cast<int64_t> (block % 7) * 512 : 1000000; // and back
        transport.is_recording = block % 9 > 4;
        transport.tempo_bpm = 60.0 + static_cast<double> (block);
        f.block (512, notes, out);
    }
    CHECK (f.stream.counts().epoch.load() == epoch);
    CHECK (f.stream.counts().underruns == 0);
    for (const auto& note : notes)
        CHECK (out[note.host_sample + f.latency] == static_cast<float> (note.velocity));
}

TEST_CASE ("When the transport stops no note stays")
{
    Fixture f;
    f.prepare();
    f.attach();
    f.context.transport.is_playing = true;
    f.stream.begin (512, f.context);
    f.stream.add (0, Event::note_on (0, 0, 60, 1.0));
    std::vector<float> left (512), right (512);
    f.stream.finish (left.data(), right.data());
    f.context.transport.is_playing = false;
    f.render (4096, 512, {});
    const auto& events = f.server->events;
    CHECK (std::count_if (events.begin(), events.end(),
                          [] (const Event& e) { return e.type == EventType::all_notes_off; }) == 1);
}

TEST_CASE ("A full event ring is made whole by a new epoch")
{
    Fixture f;
    f.prepare();
    f.attach ({8192, 64, 64});
    f.render (512, 512, {});
    const auto before = f.stream.counts().epoch.load();
    f.stream.begin (512, f.context);
    for (int i = 0; i < 10000; ++i)
        f.stream.add (5, Event::note_on (0, 0, static_cast<uint32_t> (i % 100), 0.5));
    std::vector<float> left (512), right (512);
    f.stream.finish (left.data(), right.data());
    CHECK (f.stream.counts().lost_events >= 1);
    f.render (16384, 512, {});
    CHECK (f.stream.counts().epoch.load() == before + 1);
    const auto& events = f.server->events;
    CHECK (std::count_if (events.begin(), events.end(),
                          [] (const Event& e) { return e.type == EventType::note_on; }) == 100);
}

TEST_CASE ("A segment taken away leaves silence, a new one plays on")
{
    Fixture f;
    f.prepare();
    f.attach();
    f.render (8192, 512, {});
    f.handover.offer (nullptr);
    f.server.reset();
    const auto silent = f.render (4096, 512, {{f.position + 10, 1.0}});
    CHECK (std::all_of (silent.begin(), silent.end(), [] (float x) { return x == 0.0f; }));
    f.attach();
    const auto start = f.position;
    const auto out = f.render (16384, 512, {{start + 6000, 1.0}});
    CHECK (out[6000 + f.latency] == 1.0f);
}

TEST_CASE ("A segment of another shape is left alone until the stream is prepared for it")
{
    Fixture f;
    f.prepare();
    f.attach();
    f.render (8192, 512, {});
    f.model.frame_samples = 4800; // its frames are larger than the slots of the old segment
    f.prepare();
    const auto silent = f.render (20480, 512, {{f.position + 10, 1.0}});
    CHECK (std::all_of (silent.begin(), silent.end(), [] (float x) { return x == 0.0f; }));
    f.attach();
    const auto start = f.position;
    const auto out = f.render (30000, 512, {{start + 6000, 1.0}});
    CHECK (out[6000 + f.latency] == 1.0f);
}

TEST_CASE ("Offline it waits for frames, but not for ever and not twice")
{
    Fixture f;
    f.prepare();
    f.attach();
    f.context.is_offline = true;
    f.stream.set_wait_limits ({std::chrono::milliseconds (300), std::chrono::milliseconds (300)});
    f.server->lost = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const auto start = std::chrono::steady_clock::now();
    f.render (30000, 512, {}); // 16 frames that never come, in 59 blocks
    CHECK (std::chrono::steady_clock::now() - start < std::chrono::seconds (5));
    CHECK (f.stream.counts().underruns > 0);
    CHECK (f.stream.counts().offline_gave_up);

    f.progress = SessionProgress::unavailable; // no server: no wait at all
    f.handover.offer (nullptr);
    f.render (5120, 512, {});
}
