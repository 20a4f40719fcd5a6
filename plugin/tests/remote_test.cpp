// SPDX-License-Identifier: GPL-3.0-or-later
// What the plugin knows of servers on other machines. Playing with one: tests/hosts/test_remote*.py.
#include "catch.hpp"
#include "server_fixture.hpp"

#include <bandmate/link/access_key.hpp>
#include <bandmate/link/engine_config.hpp>
#include <bandmate/link/known_servers.hpp>
#include <bandmate/link/link.hpp>
#include <bandmate/link/network_meter.hpp>
#include <bandmate/protocol/errors.hpp>

#include <sys/stat.h>

using namespace bandmate;
using link::known_server;
using link::LinkPhase;
using tests::ServerFixture;

namespace
{

constexpr const char* address = "tcp://studio:5733";
const std::vector<protocol::ModelInfo> models{{"grand", {48000, 2, 1920, 480}, 12.5},
                                              {"fresh", {44100, 1, 512, 0}, 0.0}};

// Of 64 bytes: what a server's public and a client's secret key may be.
std::string some_key()
{
    std::string text = "bm1";
    for (int i = 0; i < 64; ++i)
        text += "5c";
    return text;
}

} // namespace

TEST_CASE ("An access key is taken apart, and anything else is refused")
{
    const auto key = link::parse_access_key ("  " + some_key() + "\n");
    CHECK (key.server_public.size() == 40);
    CHECK (key.client_secret == key.server_public);
    CHECK (key.client_public.size() == 40);
    CHECK (key.client_public != key.client_secret);
    auto cut = some_key();
    cut.pop_back();
    auto wrong = some_key();
    wrong[20] = 'x';
    for (const auto& text : {std::string(), std::string ("bm1"), cut, wrong, "b" + some_key()})
    {
        CAPTURE (text);
        CHECK_THROWS_AS (link::parse_access_key (text), protocol::Error);
    }
}

TEST_CASE ("What the network asks of the latency follows the slowest of a hundred")
{
    CHECK (link::network_ms_of (std::vector<double> (250, 10.0)) == 13.5);
    std::vector<double> some (250, 10.0);
    some[7] = some[99] = 400.0; // fewer than one of a hundred
    CHECK (link::network_ms_of (some) == 13.5);
    some[3] = some[200] = 40.0;
    CHECK (link::network_ms_of (some) == 48.0);
    CHECK (link::network_ms_of (std::vector<double> (20, 5000.0)) == 500.0);
    link::NetworkMeter meter;
    for (size_t i = 1; i < link::NetworkMeter::window; ++i)
        REQUIRE_FALSE (meter.add (1.0));
    CHECK (meter.add (1.0) == 3.5);
    CHECK_FALSE (meter.add (1.0)); // the next window
}

TEST_CASE ("A server elsewhere is remembered by its address")
{
    ServerFixture fixture;
    CHECK_FALSE (known_server (address));
    link::learn_models (address, models);
    CHECK (link::learn_network (address, 20.0));
    const auto known = known_server (address);
    REQUIRE (known);
    REQUIRE (known->models.size() == 2);
    CHECK (known->models[0].delay_samples == 480);
    CHECK (known->models[0].budget_ms == 12.5);
    CHECK (known->models[1].budget_ms == 1000.0 * 512 / 44100); // not measured: a frame
    CHECK (known->network_ms == 20.0);
    CHECK_FALSE (known_server ("tcp://other:5733"));
    struct stat info;
    REQUIRE (::stat ((link::config_folder() / "remote.json").c_str(), &info) == 0);
    CHECK ((info.st_mode & 0777) == 0600);

    CHECK_FALSE (link::learn_network (address, 15.0)); // a little better is no reason to change
    CHECK (link::learn_network (address, 21.0));
    CHECK (link::learn_network (address, 5.0));
    CHECK (known_server (address)->network_ms == 5.0);
    link::learn_models (address, {models[0]});
    CHECK (known_server (address)->models.size() == 1);
    CHECK (known_server (address)->network_ms == 5.0);

    std::ofstream (link::config_folder() / "remote.json") << R"({"servers": {"tcp://studio:5733": 7}})";
    CHECK_FALSE (known_server (address));
    link::learn_models (address, models);
    CHECK (known_server (address)->models.size() == 2);
}

TEST_CASE ("With a server elsewhere its models count, and settings of this machine need not be there")
{
    ServerFixture fixture;
    const auto file = link::config_folder() / "engine.json";
    ::setenv ("BANDMATE_SERVER_ADDRESS", address, 1);
    auto config = link::load_engine_config();
    CHECK (config.server.address == address);
    CHECK (config.find ("tone")->network_ms == link::network_unknown_ms); // the best that is known
    std::filesystem::remove (file);
    link::learn_models (address, models);
    link::learn_network (address, 9.0);
    config = link::load_engine_config();
    CHECK (config.problem.empty());
    CHECK (config.default_model == "grand");
    CHECK (config.find ("grand")->network_ms == 9.0);
    CHECK_FALSE (config.find ("tone"));
    ::unsetenv ("BANDMATE_SERVER_ADDRESS");
    std::ofstream (file) << R"({"server_address": "tcp://studio:5733", "server_key": "k"})";
    config = link::load_engine_config();
    CHECK (config.problem.empty());
    CHECK (config.server.key == "k");
    CHECK (config.find ("grand"));
    std::ofstream (file) << R"({"command": ["x"], "default_model": "tone", "models": []})";
    CHECK (link::load_engine_config().server.address.empty());
}

TEST_CASE ("A server elsewhere that cannot be used is told")
{
    ServerFixture fixture;
    link::SessionRequest wanted;
    wanted.model = "tone";
    wanted.facts = link::load_engine_config().find ("tone");
    wanted.server = {address, ""};
    const char* said = "access key";
    SECTION ("without a key") {}
    SECTION ("with a key that is none")
    {
        wanted.server.key = "bm12";
        said = "no access key";
    }
    SECTION ("with an address that is none")
    {
        wanted.server = {"studio", some_key()};
        said = "studio";
    }
    SECTION ("where nobody answers")
    {
        wanted.server = {"tcp://127.0.0.1:9", some_key()};
        said = "does not answer";
    }
    link::Link link;
    link.request (wanted);
    REQUIRE (tests::wait_for ([&] { return link.status().phase == LinkPhase::failed; }));
    CHECK (link.status().problem.find (said) != std::string::npos);
    CHECK_FALSE (link.status().remedy.empty());
    // And back to a server on this machine
    wanted.server = {};
    link.request (wanted);
    CHECK (tests::wait_for ([&] { return link.progress() == core::SessionProgress::ready; }));
}
