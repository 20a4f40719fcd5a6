// SPDX-License-Identifier: GPL-3.0-or-later
// A server without a model: the real socket, discovery file and segments, and ToneSession's exact clicks.
// What the plugin's own tests start, kill and start again. Ends by itself when it has had no session for some
// seconds.
//
//     tone_server [--refuse-prompts] [--exit STATUS]
#include "tone_session.hpp"

#include <bandmate/link/folders.hpp>
#include <bandmate/protocol/codec.hpp>

#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace bandmate;
using namespace bandmate::protocol;
using Clock = std::chrono::steady_clock;

namespace
{

constexpr auto idle_limit = std::chrono::seconds (5);
constexpr const char* token = "tone";
const ModelInfo tone{"tone", {48000, 2, 1920, 0}, 1.0};
const ModelInfo soft_tone{"soft tone", {48000, 2, 1920, 480}, 1.0}; // half as loud, and later

class Server
{
public:
    explicit Server (bool refuse_prompts) : refuse_prompts_ (refuse_prompts)
    {
        const auto folder = link::runtime_folder();
        const auto endpoint = "ipc://" + (folder / "tone.sock").string();
        socket_.bind (endpoint);
        const nlohmann::json record{{"protocol", 1},  {"pid", ::getpid()}, {"endpoint", endpoint},
                                    {"token", token}, {"started", 0},      {"version", "test"}};
        const auto temporary = folder / "server.json.new";
        std::ofstream (temporary) << record;
        ::chmod (temporary.c_str(), 0600);
        std::filesystem::rename (temporary, folder / "server.json");
    }

    void run()
    {
        auto last_use = Clock::now();
        while (Clock::now() - last_use < idle_limit)
        {
            zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
            zmq::poll (&item, 1, std::chrono::milliseconds (1));
            zmq::message_t peer, bytes;
            while (socket_.recv (peer, zmq::recv_flags::dontwait) && socket_.recv (bytes))
                answer (peer, bytes);
            for (auto& [id, session] : sessions_)
                session->step();
            if (!sessions_.empty())
                last_use = Clock::now();
        }
    }

private:
    void answer (const zmq::message_t& peer, const zmq::message_t& bytes)
    {
        Reply reply;
        try
        {
            const auto request = decode_request (bytes.data(), bytes.size());
            reply.re = request.id;
            if (request.token != token)
                throw Error (error_code::bad_token, "Not the token of this server.");
            reply.body = std::visit ([this] (const auto& body) { return reply_to (body); }, request.body);
        }
        catch (const Error& error)
        {
            reply.body = ErrorReply{error.code(), error.what(), error.hint()};
        }
        const auto out = encode (reply);
        socket_.send (zmq::buffer (peer.data(), peer.size()), zmq::send_flags::sndmore);
        socket_.send (zmq::buffer (out), zmq::send_flags::none);
    }

    Reply::Body reply_to (const Hello&) { return HelloReply{"test", message_version, {tone, soft_tone}}; }
    Reply::Body reply_to (const Ping&) { return PingReply{}; }
    Reply::Body reply_to (const ListModels&) { return ListModelsReply{{tone, soft_tone}}; }
    Reply::Body reply_to (const Status&) { return StatusReply{}; }
    Reply::Body reply_to (const Shutdown&) { std::exit (0); }

    // A tone has no state to keep.
    template <typename Other>
    Reply::Body reply_to (const Other&)
    {
        throw Error (error_code::unknown_type, "The tone server does not do that.");
    }

    Reply::Body reply_to (const Open& open)
    {
        if (open.model != tone.name && open.model != soft_tone.name)
            throw Error (error_code::unknown_model, "No such model.");
        const bool is_soft = open.model == soft_tone.name;
        const auto& model = is_soft ? soft_tone : tone;
        sessions_[++newest_] = std::make_unique<tests::ToneSession> (open.segment, model.frame.delay_samples,
                                                                     is_soft ? 0.5f : 1.0f);
        return OpenReply{newest_, model.frame, model.budget_ms};
    }

    Reply::Body reply_to (const SetPrompts& prompts)
    {
        if (refuse_prompts_)
            throw Error (error_code::internal, "These prompts are refused.", "Try others.");
        return SetPromptsReply{prompts.session, prompts.revision};
    }

    Reply::Body reply_to (const Close& close)
    {
        sessions_.erase (close.session);
        CloseReply reply;
        reply.session = close.session;
        return reply;
    }

    bool refuse_prompts_;
    zmq::context_t context_;
    zmq::socket_t socket_{context_, zmq::socket_type::router};
    std::map<uint32_t, std::unique_ptr<tests::ToneSession>> sessions_;
    uint32_t newest_ = 0;
};

} // namespace

int main (int argc, char** argv)
{
    const std::string option = argc > 1 ? argv[1] : "";
    if (option == "--exit" && argc > 2)
        return std::atoi (argv[2]);
    Server (option == "--refuse-prompts").run();
    return 0;
}
