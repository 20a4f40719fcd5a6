-- SPDX-License-Identifier: GPL-3.0-or-later
-- Makes and plays an Ardour 7 session on its dummy backend, without a display.
--   ardour7-lua session.lua make DIR RATE BLOCK PLUGIN-ID    an instrument track "Band", an audio track "Take"
--   ardour7-lua session.lua automate DIR PARAMETER T:V ... [PARAMETER T:V ...]
--                                                            points at T seconds, V from 0 to 1 of the range; PARAMETER is its name
--   ardour7-lua session.lua record DIR BLOCK SECONDS         rolls in real time, Band's output recorded on Take
-- PLUGIN-ID is a VST3 class id (32 hex digits) or an LV2 URI. The session is DIR/song.ardour.
local command, dir = arg[1], arg[2]
local name = "song"

local function dummy_engine (block)
  local backend = AudioEngine:set_backend ("None (Dummy)", "Bandmate-Test", "")
  backend:set_device_name ("Silence")
  if block then AudioEngine:set_buffer_size (block) end
end

local function find_plugin (id)
  for candidate in ARDOUR.LuaAPI.list_plugins ():iter () do
    if candidate.unique_id == id then return candidate end
  end
  error ("Ardour does not list the plugin " .. id)
end

local function save_and_close ()
  Session:save_state ("", false, false, false, false, false)
  Session:close ()
end

local function make (rate, block, id)
  dummy_engine (block)
  Session = assert (create_session (dir, name, rate), "the session cannot be made")
  local one_midi = ARDOUR.ChanCount (ARDOUR.DataType ("midi"), 1)
  local stereo = ARDOUR.ChanCount (ARDOUR.DataType ("audio"), 2)
  local last = ARDOUR.PresentationInfo.max_order
  local band = Session:new_midi_track (one_midi, stereo, true, find_plugin (id), nil, nil, 1, "Band", last,
    ARDOUR.TrackMode.Normal, true, false):front ()
  Session:new_audio_track (2, 2, nil, 1, "Take", last, ARDOUR.TrackMode.Normal, false)
  print ("latency", band:nth_plugin (0):to_latent ():effective_latency ())
  save_and_close ()
end

local function automate_one (plugin, label, points)
  local index
  for i = 0, plugin:to_insert ():plugin (0):parameter_count () - 1 do
    if plugin:to_insert ():plugin (0):parameter_label (i) == label then index = i break end
  end
  assert (index, "the plugin has no parameter " .. label)
  local _, list, range = ARDOUR.LuaAPI.plugin_automation (plugin, index)
  print ("range", range.lower, range.upper)
  list:clear_list ()
  for _, point in ipairs (points) do
    local at = math.floor (point.seconds * Session:nominal_sample_rate ())
    list:add (Temporal.timepos_t (at), range.lower + point.value * (range.upper - range.lower), false, true)
  end
  local parameter = Evoral.Parameter (ARDOUR.AutomationType.PluginAutomation, 0, index)
  plugin:to_automatable ():automation_control (parameter, false):set_automation_state (ARDOUR.AutoState.Play)
end

local function automate (words)
  dummy_engine ()
  Session = assert (load_session (dir, name), "the session cannot be loaded")
  local plugin = Session:route_by_name ("Band"):nth_plugin (0)
  local label, points
  for _, word in ipairs (words) do
    local seconds, value = word:match ("^([%d.]+):([%d.]+)$")
    if seconds then
      table.insert (points, { seconds = tonumber (seconds), value = tonumber (value) })
    else
      if label then automate_one (plugin, label, points) end
      label, points = word, {}
    end
  end
  automate_one (plugin, label, points)
  save_and_close ()
end

local function record (block, seconds)
  dummy_engine (block)
  Session = assert (load_session (dir, name), "the session cannot be loaded")
  local from_user = ARDOUR.TransportRequestSource.TRS_UI
  local band, take = Session:route_by_name ("Band"), Session:route_by_name ("Take")
  for channel = 0, 1 do
    take:input ():audio (channel):disconnect_all ()
    assert (band:output ():audio (channel):connect (take:input ():audio (channel):name ()) == 0)
  end
  Session:request_locate (0, false, ARDOUR.LocateTransportDisposition.MustStop, from_user)
  local warm_up = tonumber (os.getenv ("WARM_UP_SECONDS") or "0.5")    -- the stopped transport plays all the same
  sleep (warm_up)
  take:rec_enable_control ():set_value (1, PBD.GroupControlDisposition.NoGroup)
  Session:maybe_enable_record (false)
  Session:reset_xrun_count ()
  local began = ARDOUR.LuaAPI.monotonic_time ()
  Session:request_roll (from_user)
  local last = seconds * Session:nominal_sample_rate ()
  while Session:transport_sample () < last do
    assert (ARDOUR.LuaAPI.monotonic_time () - began < (seconds + 60) * 1e6, "the transport does not roll")
    sleep (0.05)
  end
  print ("rolled", Session:transport_sample (), (ARDOUR.LuaAPI.monotonic_time () - began) / 1e6)
  print ("xruns", Session:get_xrun_count ())
  Session:request_stop (false, false, from_user)
  sleep (1)
  take:rec_enable_control ():set_value (0, PBD.GroupControlDisposition.NoGroup)
  sleep (0.5)                                    -- the take's file is closed by a thread of Ardour's
  for region in take:to_track ():playlist ():region_list ():iter () do
    print ("region", region:position ():samples (), region:start ():samples (), region:length ():samples ())
  end
  save_and_close ()
end

if command == "make" then
  make (tonumber (arg[3]), tonumber (arg[4]), arg[5])
elseif command == "automate" then
  automate ({ table.unpack (arg, 3) })
elseif command == "record" then
  record (tonumber (arg[3]), tonumber (arg[4]))
else
  error ("unknown command")
end
