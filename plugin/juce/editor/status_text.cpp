// SPDX-License-Identifier: GPL-3.0-or-later
#include "status_text.hpp"

namespace bandmate::plugin
{

juce::String words_for (const link::LinkStatus& status)
{
    using link::LinkPhase;
    switch (status.phase)
    {
    case LinkPhase::idle:
        return "waiting for the host";
    case LinkPhase::searching:
        return "looking for the server";
    case LinkPhase::starting:
        return "starting the server";
    case LinkPhase::connecting:
        return "connecting";
    case LinkPhase::opening:
        return "loading the model";
    case LinkPhase::playing:
        return status.prompts_in_force ? "ready" : "preparing the styles";
    case LinkPhase::failed:
        return "silent";
    }
    return {};
}

juce::String status_text (const link::LinkStatus& status)
{
    if (status.problem.empty())
        return words_for (status);
    return juce::String::fromUTF8 (status.problem.c_str()) + " " +
           juce::String::fromUTF8 (status.remedy.c_str());
}

juce::String with_short_paths (const juce::String& text)
{
    return text.replace (
        juce::File::getSpecialLocation (juce::File::userHomeDirectory).getFullPathName() + "/", "~/");
}

} // namespace bandmate::plugin
