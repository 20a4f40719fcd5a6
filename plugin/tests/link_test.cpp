// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"
#include "server_fixture.hpp"

#include <bandmate/link/engine_config.hpp>
#include <bandmate/link/link.hpp>

#include <sys/stat.h>

using namespace bandmate;
using core::SessionProgress;
using link::LinkPhase;
using tests::ServerFixture;
using tests::wait_for;

namespace
{

link::SessionRequest request (const std::string& prompt = "a")
{
    link::SessionRequest wanted;
    wanted.facts = link::load_engine_config().find ("tone");
    wanted.model = "tone";
    wanted.prompts[0] = prompt;
    wanted.host = "tests";
    return wanted;
}

bool becomes (const link::Link& link, SessionProgress progress)
{
    return wait_for ([&] { return link.progress() == progress; });
}

std::vector<std::string> files_called (const std::filesystem::path& folder, const std::string& prefix)
{
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator (folder))
        if (entry.path().filename().string().rfind (prefix, 0) == 0)
            found.push_back (entry.path().filename().string());
    return found;
}

} // namespace

TEST_CASE ("The link starts the server, opens a session and leaves no file behind")
{
    ServerFixture server;
    {
        std::filesystem::create_directories (server.runtime());
        std::ofstream (server.runtime() / "segment-999999-1") << "of a dead process";
        link::Link link;
        CHECK (link.status().phase == LinkPhase::idle);
        link.request (request());
        REQUIRE (becomes (link, SessionProgress::ready));
        CHECK (link.segments().has_offer());
        CHECK (link.status().phase == LinkPhase::playing);
        CHECK (link.status().problem.empty());
        CHECK (files_called (server.runtime(), "segment-").empty());
    }
    CHECK (link::find_server (server.runtime())); // it outlives the link
}

TEST_CASE ("A second link uses the same server")
{
    ServerFixture server;
    link::Link first, second;
    first.request (request());
    REQUIRE (becomes (first, SessionProgress::ready));
    const auto pid = link::find_server (server.runtime())->pid;
    second.request (request());
    REQUIRE (becomes (second, SessionProgress::ready));
    CHECK (link::find_server (server.runtime())->pid == pid);
}

TEST_CASE ("Links that begin together start one server between them")
{
    ServerFixture server;
    std::vector<std::unique_ptr<link::Link>> links;
    for (int i = 0; i < 8; ++i)
    {
        links.push_back (std::make_unique<link::Link>());
        links.back()->request (request());
    }
    for (const auto& link : links)
        REQUIRE (becomes (*link, SessionProgress::ready));
}

TEST_CASE ("A killed server is started again, and the audio thread gets a new segment")
{
    ServerFixture server;
    link::Link link;
    link.request (request());
    REQUIRE (becomes (link, SessionProgress::ready));
    for (int round = 0; round < 3; ++round)
    {
        REQUIRE (
            wait_for ([&link] { return link.segments().adopt() && link.segments().current() != nullptr; }));
        const auto before = link::find_server (server.runtime());
        REQUIRE (before);
        server.kill_server();
        REQUIRE (wait_for ([&link] { return link.progress() != SessionProgress::ready; }));
        REQUIRE (becomes (link, SessionProgress::ready));
        CHECK (link::find_server (server.runtime())->pid != before->pid);
    }
}

TEST_CASE ("Without a command the link says what to do, and plays once there is one")
{
    ServerFixture server (std::vector<std::string>{});
    link::Link link;
    link.request (request());
    REQUIRE (becomes (link, SessionProgress::unavailable));
    CHECK (link.status().phase == LinkPhase::failed);
    CHECK (link.status().remedy.find ("bandmate plugin install") != std::string::npos);
    server.write_config ({BANDMATE_TONE_SERVER});
    CHECK (becomes (link, SessionProgress::ready));
}

TEST_CASE ("A command that cannot be run or fails at once is told")
{
    {
        ServerFixture server ({"/nowhere/bandmate"});
        link::Link link;
        link.request (request());
        REQUIRE (becomes (link, SessionProgress::unavailable));
        CHECK (link.status().problem.find ("/nowhere/bandmate") != std::string::npos);
    }
    {
        ServerFixture server ({BANDMATE_TONE_SERVER, "--exit", "3"});
        link::Link link;
        link.request (request());
        REQUIRE (becomes (link, SessionProgress::unavailable));
        CHECK (link.status().problem.find ("status 3") != std::string::npos);
    }
}

TEST_CASE ("A stale discovery file is replaced")
{
    ServerFixture server;
    const auto path = server.runtime() / "server.json";
    const auto write = [&path] (const std::string& text)
    {
        std::ofstream (path) << text;
        ::chmod (path.c_str(), 0600);
    };
    SECTION ("of a dead process")
    {
        write (
            R"({"protocol":1,"pid":999999,"endpoint":"ipc:///nowhere","token":"x","started":0,"version":"0"})");
    }
    SECTION ("that is no JSON")
    {
        write ("{\"pid\": 12");
    }
    SECTION ("of a living process that does not answer")
    {
        write (R"({"protocol":1,"pid":)" + std::to_string (::getpid()) +
               R"(,"endpoint":"ipc:///tmp/bandmate-no-such-socket","token":"x","started":0,"version":"0"})");
    }
    link::Link link;
    link.request (request());
    CHECK (becomes (link, SessionProgress::ready));
}

TEST_CASE ("New prompts are waited for; refused ones are told and leave the session playing")
{
    {
        ServerFixture server;
        link::Link link;
        link.request (request ("a"));
        REQUIRE (becomes (link, SessionProgress::ready));
        link.request (request ("b"));
        CHECK (becomes (link, SessionProgress::ready));
        CHECK (link.status().prompts_in_force);
    }
    ServerFixture server ({BANDMATE_TONE_SERVER, "--refuse-prompts"});
    link::Link link;
    link.request (request());
    REQUIRE (becomes (link, SessionProgress::ready));
    CHECK (link.status().problem == "These prompts are refused.");
}

TEST_CASE ("A model that is not here is named")
{
    ServerFixture server;
    link::Link link;
    auto wanted = request();
    wanted.model = "some other";
    SECTION ("nor known to the settings")
    {
        wanted.facts.reset();
    }
    SECTION ("nor to the server") {}
    link.request (wanted);
    REQUIRE (becomes (link, SessionProgress::unavailable));
    CHECK (link.status().problem.find ("some other") != std::string::npos);
}

TEST_CASE ("Settings that cannot be used are told, and do not throw")
{
    ServerFixture server;
    const auto path = link::config_folder() / "engine.json";
    for (const auto* text :
         {"", "[]", "{", "{\"command\": 5}", "{\"command\": [], \"default_model\": \"x\", \"models\": [{}]}",
          "{\"command\": [], \"default_model\": \"x\", \"models\": [{\"name\": \"x\", \"sample_rate\": "
          "-1}]}"})
    {
        std::ofstream (path) << text;
        CAPTURE (text);
        CHECK_FALSE (link::load_engine_config().problem.empty());
    }
    std::filesystem::remove (path);
    CHECK (link::load_engine_config().problem.find ("bandmate plugin install") != std::string::npos);
}

TEST_CASE ("Without settings the link says how to get them")
{
    ServerFixture server;
    std::filesystem::remove (link::config_folder() / "engine.json");
    link::Link link;
    link.request ({});
    REQUIRE (becomes (link, SessionProgress::unavailable));
    CHECK (link.status().problem.find ("bandmate plugin install") != std::string::npos);
}

TEST_CASE ("The environment overrides the settings")
{
    ServerFixture server;
    ::setenv ("BANDMATE_MODEL", "other", 1);
    ::setenv ("BANDMATE_SERVER_COMMAND", "[\"/a b/c\", \"d\"]", 1);
    auto config = link::load_engine_config();
    CHECK (config.default_model == "other");
    CHECK (config.command == std::vector<std::string>{"/a b/c", "d"});
    ::setenv ("BANDMATE_SERVER_COMMAND", "/bin/x  --flag", 1);
    CHECK (link::load_engine_config().command == std::vector<std::string>{"/bin/x", "--flag"});
}
