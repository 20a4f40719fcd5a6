// SPDX-License-Identifier: GPL-3.0-or-later
#include "catch.hpp"

#include <bandmate/core/handover.hpp>

#include <atomic>
#include <memory>
#include <thread>

using bandmate::core::Handover;

namespace
{

std::atomic<int> alive{0};

struct Object
{
    explicit Object (int n) : number (n), check (~n) { ++alive; }
    ~Object()
    {
        number = check = 0; // a use after this shows
        --alive;
    }
    int number;
    int check;
};

} // namespace

TEST_CASE ("An object goes to the audio thread and back to be freed")
{
    {
        Handover<Object> handover;
        CHECK (handover.current() == nullptr);
        handover.offer (std::make_shared<Object> (1));
        CHECK (handover.current() == nullptr);
        CHECK (handover.adopt());
        CHECK (handover.current()->number == 1);
        CHECK_FALSE (handover.adopt());

        handover.offer (std::make_shared<Object> (2));
        handover.offer (std::make_shared<Object> (3)); // 2 was never taken
        CHECK (alive == 2);
        CHECK (handover.adopt());
        CHECK (handover.current()->number == 3);
        CHECK (alive == 2); // 1 is freed by the link thread only
        handover.offer (nullptr);
        CHECK_FALSE (handover.adopt()); // not before 1 has been collected
        handover.collect();
        CHECK (alive == 1);
        CHECK (handover.adopt());
        CHECK (handover.current() == nullptr);
    }
    CHECK (alive == 0);
}

TEST_CASE ("Two threads hand over without a race, and nothing leaks")
{
    constexpr int offers = 20000;
    {
        Handover<Object> handover;
        std::atomic<bool> done{false};
        std::thread link (
            [&]
            {
                for (int i = 1; i <= offers; ++i)
                {
                    handover.offer (i % 5 == 0 ? nullptr : std::make_shared<Object> (i));
                    handover.collect();
                }
                handover.offer (std::make_shared<Object> (offers + 1));
                while (!done)
                    handover.collect();
            });
        int newest = 0;
        bool intact = true;
        while (newest <= offers)
        {
            handover.adopt();
            if (const auto* object = handover.current())
            {
                intact = intact && object->check == ~object->number && object->number >= newest;
                newest = object->number;
            }
        }
        done = true;
        link.join();
        CHECK (intact);
    }
    CHECK (alive == 0);
}
