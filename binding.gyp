{
  # CMakeLists.txt is the build. This hands over to cmake-js, so that node-gyp's users are served too.
  "targets": [
    {
      "target_name": "vcap_native",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake-js",
          "message": "Building vcap_native with cmake-js",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/vcap_native.node"],
          "action": ["node", "scripts/build-native.mjs"]
        }
      ]
    }
  ]
}
