// SPDX-License-Identifier: GPL-3.0-or-later
// Presets. They are not the host's programs: hosts set those from the audio thread, and after a song's state.
#include "processor.hpp"

namespace bandmate::plugin
{

void Processor::load_preset (const Preset& preset)
{
    int program = -1;
    for (size_t i = 0; i < factory_presets().size(); ++i)
        if (&preset == &factory_presets()[i])
            program = static_cast<int> (i);
    change_session (
        [&] (SessionState& now)
        {
            now.prompts = preset.session.prompts;
            now.sounds = preset.session.sounds;
            now.points = preset.session.points;
            now.preset = preset.name.toStdString();
            if (program >= 0)
                now.program = program;
        });
    for (auto* parameter : getParameters())
    {
        auto* ranged = dynamic_cast<juce::RangedAudioParameter*> (parameter);
        if (ranged == nullptr || !is_preset_parameter (ranged->getParameterID()))
            continue;
        auto value = default_value (*ranged);
        for (const auto& [id, wanted] : preset.parameters)
            if (id == ranged->getParameterID())
                value = ranged->convertTo0to1 (wanted);
        if (value != ranged->getValue())
            ranged->setValueNotifyingHost (value);
    }
    updateHostDisplay (ChangeDetails().withNonParameterStateChanged (true));
}

Preset Processor::make_preset (const juce::String& name) const
{
    Preset preset;
    preset.name = name;
    const auto now = session();
    preset.session.prompts = now.prompts;
    preset.session.sounds = now.sounds;
    preset.session.points = now.points;
    for (const auto* parameter : getParameters())
        if (const auto* ranged = dynamic_cast<const juce::RangedAudioParameter*> (parameter))
            if (is_preset_parameter (ranged->getParameterID()))
                preset.parameters.emplace_back (ranged->getParameterID(),
                                                ranged->convertFrom0to1 (ranged->getValue()));
    return preset;
}

} // namespace bandmate::plugin
