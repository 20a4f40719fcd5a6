// SPDX-License-Identifier: GPL-3.0-or-later
#include "status_line.hpp"

#include "../processor.hpp"

namespace bandmate::plugin
{

namespace
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

} // namespace

juce::String status_text (const link::LinkStatus& status)
{
    if (status.problem.empty())
        return words_for (status);
    return juce::String (status.problem) + " " + juce::String (status.remedy);
}

void StatusLine::update (const Processor& processor)
{
    const auto status = processor.link_status();
    const auto& counts = processor.stream_counts();
    juce::StringArray parts{words_for (status), "model " + juce::String (status.model),
                            "latency " + juce::String (processor.latency_ms(), 1) + " ms"};
    if (status.frame_ms_p50 > 0.0)
        parts.add ("frame " + juce::String (status.frame_ms_p50, 1) + " / " +
                   juce::String (status.frame_ms_p99, 1) + " ms");
    parts.add ("underruns " + juce::String (static_cast<juce::int64> (counts.underruns.load())));
    const auto summary = parts.joinIntoString ("   |   ");
    auto problem = juce::String (status.problem);
    if (!status.remedy.empty())
        problem << " " << juce::String (status.remedy);
    if (counts.offline_gave_up.load())
        problem << " The render did not wait any longer for the engine.";

    if (summary != summary_ || problem != problem_)
    {
        summary_ = summary;
        problem_ = problem;
        repaint();
    }
}

void StatusLine::paint (juce::Graphics& g)
{
    auto area = getLocalBounds();
    g.setFont (15.0f);
    g.setColour (juce::Colours::lightgrey);
    g.drawText (summary_, area.removeFromTop (22), juce::Justification::centredLeft);
    g.setColour (juce::Colours::orange);
    g.drawFittedText (problem_, area, juce::Justification::topLeft, 2);
}

} // namespace bandmate::plugin
