// SPDX-License-Identifier: Apache-2.0
// A plugin and a session with a network between them: both see nothing but their segments.
#include "support.hpp"

#include <bandmate/protocol/stream_ends.hpp>

#include <deque>
#include <random>
#include <string>
#include <vector>

using namespace bandmate::test;
using namespace bandmate::protocol;

namespace
{

constexpr Ticket ticket{1, 2, 3};
constexpr FrameShape shape{48000, 2, 3};

// Two machines: on each a segment that the audio thread or the session uses, and this library's end.
struct Network
{
    Pair laptop, studio;
    PluginStreamEnd plugin_end{laptop.server, ticket};
    ServerStreamEnd server_end{studio.plugin, ticket};
    std::uint64_t now = 1'000'000'000'000;
    std::deque<std::string> up, down;

    explicit Network (std::uint32_t frames = 4)
        : laptop ({64, frames, 4}, shape), studio ({64, frames, 4}, shape)
    {
        studio.server.server().heartbeat_ns.store (now);
    }

    void send()
    {
        while (auto bytes = plugin_end.next (now))
            up.push_back (*bytes);
        while (auto bytes = server_end.next (now))
            down.push_back (*bytes);
    }

    void deliver()
    {
        for (; !up.empty(); up.pop_front())
            server_end.take (up.front().data(), up.front().size(), now);
        for (; !down.empty(); down.pop_front())
            plugin_end.take (down.front().data(), down.front().size(), now);
    }

    // What all that is due does, `ms` later.
    void pass (std::uint64_t ms = 200)
    {
        now += ms * 1'000'000;
        studio.server.server().heartbeat_ns.store (now);
        send();
        deliver();
    }

    void begin_epoch (std::uint32_t epoch)
    {
        REQUIRE (laptop.plugin.events().push (Event::epoch_start (epoch, epoch * 10)));
        laptop.plugin.published().publish ({epoch, 0});
    }
};

std::vector<Event> read_all (Segment& segment, std::uint64_t until)
{
    std::vector<Event> events (64);
    events.resize (segment.events().read (until, events.data(), events.size()));
    return events;
}

} // namespace

TEST_CASE ("Events and positions come over in order, and never the position first", "[stream]")
{
    Network net;
    net.begin_epoch (1);
    for (std::uint64_t t = 0; t < 5; ++t)
        net.laptop.plugin.events().push (Event::note_on (t, 0, 60, 1.0));
    net.laptop.plugin.published().publish ({1, 3});
    net.pass();
    const auto start = net.studio.server.events().enter_newest_epoch();
    REQUIRE (start);
    CHECK (start->seed == 10);
    CHECK (net.studio.server.published().read()->until == 3);
    CHECK (read_all (net.studio.server, 3).size() == 3);
    CHECK (read_all (net.studio.server, 100).empty()); // beyond the position nothing was sent
    net.laptop.plugin.published().publish ({1, 5});
    net.pass();
    CHECK (read_all (net.studio.server, 5).size() == 2);
}

TEST_CASE ("Of several epochs the newest comes over", "[stream]")
{
    Network net;
    for (std::uint32_t epoch = 1; epoch < 4; ++epoch)
    {
        net.begin_epoch (epoch);
        net.laptop.plugin.events().push (Event::note_on (0, 0, epoch, 1.0));
        net.laptop.plugin.published().publish ({epoch, 2});
    }
    net.pass();
    REQUIRE (net.studio.server.published().read()->epoch == 3);
    CHECK (net.studio.server.published().read()->until == 2);
    REQUIRE (net.studio.server.events().enter_newest_epoch()->epoch == 3);
    const auto events = read_all (net.studio.server, 2);
    REQUIRE (events.size() == 1);
    CHECK (events[0].index == 3);
}

TEST_CASE ("A render's frames come over in order, and as many as there is room for", "[stream]")
{
    Network net;
    net.laptop.plugin.plugin().flags.store (plugin_flag::offline);
    net.begin_epoch (1);
    std::uint64_t made = 0, heard = 0;
    float samples[6] = {};
    for (int round = 0; round < 40; ++round)
    {
        for (samples[0] = static_cast<float> (made); net.studio.server.audio_out().write (1, made, samples);)
            samples[0] = static_cast<float> (++made);
        net.pass();
        if (round < 20)
            continue; // nobody listens: what was made stays in the two rings
        if (round == 20)
            CHECK (made == 8);
        while (const auto frame = net.laptop.plugin.audio_out().front())
        {
            REQUIRE (frame->index == heard);
            REQUIRE (frame->samples[0] == static_cast<float> (heard));
            ++heard;
            net.laptop.plugin.audio_out().release();
        }
    }
    CHECK (heard > 20);
}

TEST_CASE ("Live frames that the network holds up make way for newer ones", "[stream]")
{
    Network net (64);
    net.begin_epoch (1);
    net.pass();
    const float samples[6] = {};
    for (std::uint64_t k = 0; k < 50; ++k)
    {
        net.now += 40'000'000;
        REQUIRE (net.studio.server.audio_out().write (1, k, samples));
        net.send(); // and nothing arrives
    }
    net.deliver();
    net.pass();
    net.pass();
    std::vector<std::uint64_t> heard;
    while (const auto frame = net.laptop.plugin.audio_out().front())
    {
        heard.push_back (frame->index);
        CHECK (((frame->flags & frame_flag::gap) != 0) == (frame->index == 49));
        net.laptop.plugin.audio_out().release();
    }
    CHECK (heard == std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 49});
}

TEST_CASE ("A session that does not read stops the plugin's events, not the stream", "[stream]")
{
    Network net;
    net.begin_epoch (1);
    std::uint64_t sent = 0, taken = 0;
    for (int round = 0; round < 300; ++round)
    {
        while (sent < 500 && net.laptop.plugin.events().push (Event::note_on (sent, 0, sent % 128, 1.0)))
            ++sent;
        net.laptop.plugin.published().publish ({1, sent});
        net.pass();
        if (round < 10)
        {
            CHECK (net.studio.server.events().available() <= 64);
            continue;
        }
        net.studio.server.events().enter_newest_epoch();
        for (const auto& event : read_all (net.studio.server, net.studio.server.published().read()->until))
            REQUIRE (event.time == taken++);
    }
    CHECK (sent == 500);
    CHECK (taken == 500);
}

TEST_CASE ("The side chain goes the other way", "[stream]")
{
    Network net;
    const float samples[6] = {1, 2, 3, 4, 5, 6};
    std::uint64_t index = 0;
    for (int round = 0; round < 10; ++round)
    {
        while (net.laptop.plugin.audio_in().write (1, index, samples))
            ++index;
        net.pass();
    }
    CHECK (index == 8);
    std::uint64_t heard = 0;
    while (const auto frame = net.studio.server.audio_in().front())
    {
        CHECK (frame->index == heard++);
        CHECK (frame->samples[5] == 6.0f);
        net.studio.server.audio_in().release();
    }
    net.pass(); // the plugin hears of the room
    net.pass(); // and fills it
    CHECK (net.studio.server.audio_in().available() == 4);
}

TEST_CASE ("State, liveness and counts come over", "[stream]")
{
    Network net;
    net.laptop.plugin.plugin().heartbeat.store (7);
    net.laptop.plugin.plugin().underruns.store (3);
    net.laptop.plugin.plugin().flags.store (plugin_flag::offline);
    net.studio.server.server().state.store (static_cast<std::uint32_t> (ServerState::ready));
    net.studio.server.server().epoch.store (4);
    net.pass();
    CHECK (net.studio.server.plugin().heartbeat.load() == 7);
    CHECK (net.studio.server.plugin().underruns.load() == 3);
    CHECK (net.studio.server.plugin().flags.load() == plugin_flag::offline);
    CHECK (net.laptop.plugin.server().state.load() == static_cast<std::uint32_t> (ServerState::ready));
    CHECK (net.laptop.plugin.server().epoch.load() == 4);
    CHECK (net.laptop.plugin.server().heartbeat_ns.load() == net.now);

    // A server that stands still gives no sign of life through a link that works.
    const auto last = net.now;
    net.now += 5'000'000'000;
    net.send();
    net.deliver();
    CHECK (net.laptop.plugin.server().heartbeat_ns.load() == last);

    net.studio.server.server().state.store (static_cast<std::uint32_t> (ServerState::closed));
    net.send();
    net.deliver();
    CHECK (net.laptop.plugin.server().state.load() == static_cast<std::uint32_t> (ServerState::closed));
    CHECK (net.server_end.is_over());
}

TEST_CASE ("The way there and back is measured without the server's own time", "[stream]")
{
    Network net;
    net.begin_epoch (1);
    net.pass();
    net.laptop.plugin.published().publish ({1, 3}); // frame 0 is complete
    net.now += 1'000'000;
    net.send();
    net.now += 20'000'000; // on its way
    net.deliver();
    net.now += 9'000'000; // the server makes it
    const float samples[6] = {};
    net.studio.server.audio_out().write (1, 0, samples);
    net.send();
    net.now += 15'000'000;
    net.deliver();
    CHECK (net.plugin_end.take_network_ns() == 35'000'000);
    CHECK_FALSE (net.plugin_end.take_network_ns());
}

TEST_CASE ("A lost message, another stream's and a wild one end the stream", "[stream]")
{
    Network net;
    net.begin_epoch (1);
    net.pass();
    const auto refused = [&net] (const std::string& bytes)
    {
        return refusal ([&] { net.server_end.take (bytes.data(), bytes.size(), net.now); });
    };
    StreamInput in;
    in.epoch = 1;
    CHECK (refused (encode ({9}, 2, in, {})) == error_code::bad_message);
    CHECK (refused (encode (ticket, 7, in, {})) == error_code::bad_message);
    CHECK (refused (encode (ticket, 2, StreamState{})) == error_code::bad_message);
    in.frames_read = 1; // there was none
    CHECK (refused (encode (ticket, 3, in, {})) == error_code::bad_message);
    in.frames_read = 0;
    CHECK (refused (encode (ticket, 4, in, std::vector<Event> (65))) == error_code::bad_message);
    in.epoch = 0;
    CHECK (refused (encode (ticket, 5, in, {})) == error_code::bad_message);
    StreamSound sound{0, 1, 0, 4, 2, 0, 0};
    const std::vector<float> samples (8);
    CHECK (refused (encode (StreamKind::side_chain, ticket, 6, sound, samples.data())) ==
           error_code::bad_message);

    StreamState state;
    state.events_read = 99; // so many were never sent
    const auto bytes = encode (ticket, 900, state);
    CHECK (refusal ([&] { net.plugin_end.take (bytes.data(), bytes.size(), net.now); }) ==
           error_code::bad_message);
}

TEST_CASE ("A damaged stream never touches more than its own segment", "[stream][fuzz]")
{
    std::mt19937 random (5);
    for (int round = 0; round < 300; ++round)
    {
        Network net;
        net.begin_epoch (1);
        try
        {
            for (int step = 0; step < 20; ++step)
            {
                net.laptop.plugin.events().push (Event::note_on (step, 0, 60, 1.0));
                net.laptop.plugin.published().publish ({1, static_cast<std::uint64_t> (step) + 1});
                net.now += 100'000'000;
                net.send();
                for (auto* queue : {&net.up, &net.down})
                    for (auto& bytes : *queue)
                        if (random() % 8 == 0)
                            bytes[random() % bytes.size()] = static_cast<char> (random());
                net.deliver();
            }
        }
        catch (const Error&)
        {
        }
        CHECK_FALSE (net.studio.server.is_broken());
        CHECK_FALSE (net.laptop.plugin.is_broken());
    }
}
